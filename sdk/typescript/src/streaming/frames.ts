import { decodeEvent, EventDecodeError } from "../events/codec.js";
import { parseCursor } from "../events/cursor.js";
import type { Connected, StreamEvent } from "../events/models.js";
import type { ServerSentEvent } from "../events/sse-decoder.js";
import { isTerminal, isUnknown } from "../events/types.js";

/** A frame that no stream carries. */
export class InvalidFrame extends Error {
  override readonly name = "InvalidFrame";
}

/** How far a connection has come. */
export interface Position {
  /** The newest number of this connection; 0 for none. */
  newest: number;
  /** The stream's cursor, over all its connections. */
  lastEventId: number;
}

/** What some frames hold. */
export interface Taken {
  connected?: Connected;
  /** Those that are new, in order. */
  readonly events: StreamEvent[];
  /** The first frame that no stream carries; what is behind it was not looked at. */
  violation?: InvalidFrame;
}

/** Sorts `frames` out, up to a terminal event, and moves `position` over them. */
export function takeFrames(frames: readonly ServerSentEvent[], position: Position): Taken {
  const taken: Taken = { events: [] };
  try {
    for (const frame of frames) {
      const event = readFrame(frame, position);
      if (event === undefined) continue;
      if (event.type === "connected") {
        taken.connected = event;
        continue;
      }
      position.newest = event.number;
      if (event.number <= position.lastEventId) continue;
      position.lastEventId = event.number;
      taken.events.push(event);
      if (isTerminal(event)) break;
    }
  } catch (error) {
    if (!(error instanceof InvalidFrame)) throw error;
    taken.violation = error;
  }
  return taken;
}

/**
 * Returns the event of `frame`, or `undefined` for one that is of no concern: without a number it is
 * not part of the log.
 *
 * @throws {@link InvalidFrame} the frame is none that a stream carries, or not in this place.
 */
function readFrame(
  frame: ServerSentEvent,
  position: Readonly<Position>,
): StreamEvent | Connected | undefined {
  const number = frame.id === "" ? undefined : parseCursor(frame.id);
  if (number === undefined && frame.id !== "") {
    throw new InvalidFrame(`'${frame.id.slice(0, 40)}' is no event's number`);
  }
  const event = decode(frame.data, number);
  if (event.type === "connected") {
    if (event.last_event_id < position.lastEventId) {
      throw new InvalidFrame(
        `the log ends at event ${event.last_event_id}, ` +
          `but event ${position.lastEventId} was received`,
      );
    }
    return event;
  }
  if (number === undefined) {
    if (isUnknown(event)) return undefined;
    throw new InvalidFrame(`${event.type} came without a number`);
  }
  if (number < position.newest) {
    throw new InvalidFrame(`event ${number} came after event ${position.newest}`);
  }
  return event;
}

function decode(data: string, number: number | undefined): StreamEvent | Connected {
  try {
    return decodeEvent(data, number);
  } catch (error) {
    if (!(error instanceof EventDecodeError)) throw error;
    throw new InvalidFrame(error.message, { cause: error });
  }
}
