/**
 * Following a stream through disconnects, without I/O: the one place that knows when to reconnect.
 *
 * {@link Resumption.run} is a generator. It yields an action and is given the reply to it:
 *
 * | action         | what to do, and the reply                                                    |
 * | -------------- | ---------------------------------------------------------------------------- |
 * | `open`         | send the request; reply: its {@link Head}, or a {@link TransportError}       |
 * | `read`         | take the next bytes of the body; reply: they, none at its end, or an error   |
 * |                | ({@link RequestTimeout}: nothing came)                                       |
 * | `connected`    | the server has begun to send; no reply                                       |
 * | `deliver`      | hand the events to the caller, one after the other; no reply                 |
 * | `reconnecting` | close the response, if one is open, then wait; no reply                      |
 *
 * It returns when the execution has ended, and throws when reconnecting cannot help.
 *
 * What ends a stream: its terminal event, or the status 204, which says that there is nothing after
 * the cursor. Everything else is a disconnect, a clean end of the response too, and the stream goes
 * on from the cursor: after 408, 425, 429 and every 5xx, after network errors, and when nothing came
 * for `stallMs`. Other statuses throw. What no stream carries (data that is no event, numbers that
 * run backwards, a web page) is a disconnect the first time, and throws when it comes again at the
 * same cursor; an event over the decoder's limit throws at once.
 *
 * Numbers may jump: filters leave events out, and so do extension types that nobody asked for, those
 * of newer servers included.
 *
 * The vectors of `protocol/vectors/resume.json` hold it to this.
 */

import { isOk, readError } from "../answers.js";
import {
  type FlowMaestroError,
  RequestTimeout,
  StreamInterrupted,
  StreamStalled,
  TransportError,
} from "../errors.js";
import { SSEDecoder } from "../events/sse-decoder.js";
import { isTerminal } from "../events/types.js";
import type { Action, Head, Reply, ResumeOptions, World } from "./actions.js";
import { takeFrames } from "./frames.js";
import { Setbacks } from "./setbacks.js";

const MEDIA_TYPE = "text/event-stream";
const MAX_ERROR_BYTES = 65_536;

/** One stream, through any number of connections. */
export class Resumption {
  /** The number of the last event delivered: the cursor of the next request. */
  lastEventId: number;

  readonly #options: ResumeOptions;
  readonly #world: World;
  constructor(options: ResumeOptions, lastEventId: number, world: World) {
    this.#options = options;
    this.lastEventId = lastEventId;
    this.#world = world;
  }

  /**
   * Follows the stream to the execution's end; see the module's text.
   *
   * @throws {@link APIError} the server refused, and asking again cannot help.
   * @throws {@link UnexpectedResponse} no FlowMaestro server answered.
   * @throws {@link StreamProtocolError} the server sent twice what no stream carries.
   * @throws {@link DeadlineExceeded} `timeoutMs` are over.
   * @throws {@link TransportError}, {@link StreamError} the last failure, once reconnects are used
   * up.
   */
  *run(): Generator<Action, void, Reply> {
    const setbacks = new Setbacks(this.#options, this.#world);
    while (true) {
      const failure = yield* this.#connect(setbacks);
      if (failure === undefined) return;
      yield setbacks.reconnecting(failure, this.lastEventId);
    }
  }

  /** Opens the stream once; returns nothing at the execution's end, else what went wrong. */
  *#connect(setbacks: Setbacks): Generator<Action, FlowMaestroError | undefined, Reply> {
    const reply = (yield {
      kind: "open",
      lastEventId: this.lastEventId,
      remainingMs: setbacks.remainingMs(),
    }) as Head | TransportError;
    if (reply instanceof TransportError) return reply;
    setbacks.answered = true;
    if (reply.status === 204) return undefined;
    if (!isOk(reply.status)) {
      const body = yield* this.#readErrorBody(setbacks);
      const error = readError({ ...reply, body }, this.#world.now());
      if (setbacks.mayAskAgain(error, this.lastEventId)) return error;
      throw error;
    }
    const mediaType = reply.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
    if (mediaType !== MEDIA_TYPE) {
      const reason = `it is ${mediaType || "nothing"} instead of an event stream`;
      return setbacks.violated(reason, this.lastEventId);
    }
    return yield* this.#readEvents(setbacks);
  }

  *#readEvents(setbacks: Setbacks): Generator<Action, FlowMaestroError | undefined, Reply> {
    const decoder = new SSEDecoder();
    const openedAt = this.#world.clock();
    // The newest of this connection: a repeat is dropped, a step back is not.
    const position = { newest: 0, lastEventId: this.lastEventId };
    while (true) {
      const chunk = yield* read(setbacks);
      if (chunk instanceof RequestTimeout) {
        setbacks.remainingMs(); // it may be the caller's time that is over
        const silence = `Nothing came for ${this.#options.stallMs / 1000} seconds.`;
        return new StreamStalled(silence, this.lastEventId, { cause: chunk });
      }
      if (chunk instanceof TransportError) return chunk;
      if (chunk.length === 0) {
        const ended = `The stream ended after event ${this.lastEventId}, before the execution.`;
        return new StreamInterrupted(ended, this.lastEventId);
      }
      const frames = decoder.feed(chunk);
      setbacks.retryMs = decoder.retryMs ?? setbacks.retryMs;
      if (this.#world.clock() - openedAt >= this.#options.backoff.maxMs) {
        setbacks.progressed(); // a quiet connection that lives is progress, too
      }
      const { connected, events, violation } = takeFrames(frames, position);
      this.lastEventId = position.lastEventId;
      if (connected !== undefined) yield { kind: "connected", event: connected };
      const last = events.at(-1);
      if (last !== undefined) {
        setbacks.progressed();
        yield { kind: "deliver", events };
        if (isTerminal(last)) return undefined;
      }
      if (violation !== undefined) {
        return setbacks.violated(violation.message, this.lastEventId, { cause: violation });
      }
      if (decoder.overflowed) {
        const reason = `an event of more than ${decoder.maxEventCharacters} characters`;
        return setbacks.violated(reason, this.lastEventId, { again: true });
      }
    }
  }

  *#readErrorBody(setbacks: Setbacks): Generator<Action, string, Reply> {
    const text = new TextDecoder();
    let body = "";
    while (body.length < MAX_ERROR_BYTES) {
      const chunk = yield* read(setbacks);
      if (chunk instanceof TransportError || chunk.length === 0) break;
      body += text.decode(chunk, { stream: true });
    }
    return body;
  }
}

function* read(setbacks: Setbacks): Generator<Action, Uint8Array | TransportError, Reply> {
  return (yield { kind: "read", remainingMs: setbacks.remainingMs() }) as
    | Uint8Array
    | TransportError;
}
