import { decodeEvent, EventDecodeError } from "../events/codec.js";
import { parseCursor } from "../events/cursor.js";
import type { Connected, StreamEvent } from "../events/models.js";
import type { ServerSentEvent } from "../events/sse-decoder.js";
import { isUnknown } from "../events/types.js";

/** A frame that no stream carries. */
export class InvalidFrame extends Error {
  override readonly name = "InvalidFrame";
}

/** Where a connection stands as a frame comes. */
export interface Position {
  /** The newest number of this connection; 0 for none. */
  readonly newest: number;
  /** The stream's cursor. */
  readonly lastEventId: number;
}

/**
 * Returns the event of `frame`, or `undefined` for one that is of no concern: without a number it is
 * not part of the log.
 *
 * @throws {@link InvalidFrame} the frame is none that a stream carries, or not in this place.
 */
export function readFrame(
  frame: ServerSentEvent,
  position: Position,
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
