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
import { backoffDelayMs } from "../backoff.js";
import {
  APIError,
  ConnectionFailed,
  DeadlineExceeded,
  type FlowMaestroError,
  RequestTimeout,
  StreamInterrupted,
  StreamProtocolError,
  StreamStalled,
  TransportError,
} from "../errors.js";
import { SSEDecoder } from "../events/sse-decoder.js";
import { isTerminal } from "../events/types.js";
import type { Action, Head, Reconnecting, Reply, ResumeOptions, World } from "./actions.js";
import { takeFrames } from "./frames.js";

const MEDIA_TYPE = "text/event-stream";
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);
const MAX_ERROR_BYTES = 65_536;
/** From the second wait on; a server's `retry: 0` must not become a loop without pauses. */
const MIN_GROWING_BASE_MS = 50;

/** One stream, through any number of connections. */
export class Resumption {
  /** The number of the last event delivered: the cursor of the next request. */
  lastEventId: number;

  readonly #options: ResumeOptions;
  readonly #world: World;
  #deadline: number | undefined;
  /** In a row without progress. */
  #failures = 0;
  #lastFailure: FlowMaestroError | undefined;
  #answered = false;
  #retryMs: number | undefined;
  /** The cursor at which the last violation was seen. */
  #violatedAt: number | undefined;
  /** The cursor at which the last ticket was refused. */
  #refusedAt: number | undefined;

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
    const { timeoutMs } = this.#options;
    if (timeoutMs !== undefined) this.#deadline = this.#world.clock() + timeoutMs;
    while (true) {
      const failure = yield* this.#connect();
      if (failure === undefined) return;
      this.#lastFailure = failure;
      yield this.#reconnecting(failure);
    }
  }

  /** Opens the stream once; returns nothing at the execution's end, else what went wrong. */
  *#connect(): Generator<Action, FlowMaestroError | undefined, Reply> {
    const reply = (yield {
      kind: "open",
      lastEventId: this.lastEventId,
      remainingMs: this.#remainingMs(),
    }) as Head | TransportError;
    if (reply instanceof TransportError) return reply;
    this.#answered = true;
    if (reply.status === 204) return undefined;
    if (!isOk(reply.status)) {
      const body = yield* this.#readErrorBody();
      const error = readError({ ...reply, body }, this.#world.now());
      if (this.#mayAskAgain(error)) return error;
      throw error;
    }
    const mediaType = reply.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
    if (mediaType !== MEDIA_TYPE) {
      return this.#violation(`it is ${mediaType || "nothing"} instead of an event stream`);
    }
    return yield* this.#readEvents();
  }

  *#readEvents(): Generator<Action, FlowMaestroError | undefined, Reply> {
    const decoder = new SSEDecoder();
    const openedAt = this.#world.clock();
    // The newest of this connection: a repeat is dropped, a step back is not.
    const position = { newest: 0, lastEventId: this.lastEventId };
    while (true) {
      const chunk = yield* this.#read();
      if (chunk instanceof RequestTimeout) {
        this.#remainingMs(); // it may be the caller's time that is over
        const silence = `Nothing came for ${this.#options.stallMs / 1000} seconds.`;
        return new StreamStalled(silence, this.lastEventId, { cause: chunk });
      }
      if (chunk instanceof TransportError) return chunk;
      if (chunk.length === 0) {
        const ended = `The stream ended after event ${this.lastEventId}, before the execution.`;
        return new StreamInterrupted(ended, this.lastEventId);
      }
      const frames = decoder.feed(chunk);
      this.#retryMs = decoder.retryMs ?? this.#retryMs;
      if (this.#world.clock() - openedAt >= this.#options.backoff.maxMs) {
        this.#failures = 0; // a quiet connection that lives is progress, too
      }
      const { connected, events, violation } = takeFrames(frames, position);
      this.lastEventId = position.lastEventId;
      if (connected !== undefined) yield { kind: "connected", event: connected };
      const last = events.at(-1);
      if (last !== undefined) {
        this.#failures = 0;
        yield { kind: "deliver", events };
        if (isTerminal(last)) return undefined;
      }
      if (violation !== undefined) return this.#violation(violation.message, violation);
      if (decoder.overflowed) {
        this.#violatedAt = this.lastEventId; // it would be as large the next time
        return this.#violation(`an event of more than ${decoder.maxEventCharacters} characters`);
      }
    }
  }

  *#read(): Generator<Action, Uint8Array | TransportError, Reply> {
    return (yield { kind: "read", remainingMs: this.#remainingMs() }) as
      | Uint8Array
      | TransportError;
  }

  *#readErrorBody(): Generator<Action, string, Reply> {
    const text = new TextDecoder();
    let body = "";
    while (body.length < MAX_ERROR_BYTES) {
      const chunk = yield* this.#read();
      if (chunk instanceof TransportError || chunk.length === 0) break;
      body += text.decode(chunk, { stream: true });
    }
    return body;
  }

  #mayAskAgain(error: FlowMaestroError): boolean {
    if (!(error instanceof APIError)) return false;
    if (error.status === 401 && this.#options.renewsTickets) {
      const before = this.#refusedAt;
      this.#refusedAt = this.lastEventId;
      return before !== this.lastEventId;
    }
    return error.status >= 500 || RETRYABLE_STATUSES.has(error.status);
  }

  #violation(reason: string, cause?: Error): StreamProtocolError {
    const error = new StreamProtocolError(
      `The server sent what no event stream carries: ${reason}.`,
      this.lastEventId,
      { cause },
    );
    if (this.#violatedAt === this.lastEventId) throw error;
    this.#violatedAt = this.lastEventId;
    return error;
  }

  /** Returns the wait before the next connection, or throws `failure` for the last time. */
  #reconnecting(failure: FlowMaestroError): Reconnecting {
    const { maxReconnects, maxFirstReconnects, maxRetryAfterMs } = this.#options;
    const remainingMs = this.#remainingMs();
    // Browsers do not tell whether there was a connection at all.
    const neverAnswered = failure instanceof ConnectionFailed && !this.#answered;
    const limit = maxReconnects ?? (neverAnswered ? maxFirstReconnects : undefined);
    if (limit !== undefined && this.#failures >= limit) throw failure;
    const retryAfterMs = (failure instanceof APIError ? failure.retryAfterMs : undefined) ?? 0;
    if (retryAfterMs > maxRetryAfterMs) throw failure;
    const delayMs = this.#backoffMs() + retryAfterMs;
    this.#failures += 1;
    return {
      kind: "reconnecting",
      reason: failure,
      delayMs: Math.min(delayMs, remainingMs ?? delayMs),
      lastEventId: this.lastEventId,
    };
  }

  #backoffMs(): number {
    const { backoff } = this.#options;
    const asked = this.#retryMs ?? backoff.baseMs;
    const least = this.#failures > 0 ? Math.min(MIN_GROWING_BASE_MS, backoff.baseMs) : 0;
    const baseMs = Math.max(asked, least);
    return backoffDelayMs({ baseMs, maxMs: backoff.maxMs }, this.#failures, this.#world.random);
  }

  /** How much of the caller's time is left; `undefined` for any amount. */
  #remainingMs(): number | undefined {
    if (this.#deadline === undefined) return undefined;
    const remaining = this.#deadline - this.#world.clock();
    if (remaining > 0) return remaining;
    throw new DeadlineExceeded(
      `The execution did not end within ${this.#options.timeoutMs} milliseconds.`,
      { cause: this.#lastFailure },
    );
  }
}
