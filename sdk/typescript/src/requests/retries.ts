/**
 * Repeating plain requests, without I/O: a generator that the connector drives.
 *
 * It yields `"send"` and is given the answer, or the error that there was instead; it yields a
 * number of milliseconds to wait and is given nothing; it returns the answer, or throws.
 */

import { type Answer, isOk, readError } from "../answers.js";
import { type Backoff, backoffDelayMs, type Random } from "../backoff.js";
import { APIError, ConnectionFailed, type FlowMaestroError, TransportError } from "../errors.js";

const REPEATED_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** What says for certain that the request was not carried out. */
const REFUSED_STATUSES: ReadonlySet<number> = new Set([429]);

export interface RetryOptions {
  readonly backoff: Backoff;
  readonly maxRetries: number;
  readonly maxRetryAfterMs: number;
}

export type RetryStep = "send" | number;
export type RetryReply = Answer | TransportError | undefined;

/**
 * Sends one request until it is answered, at most `maxRetries` times more.
 *
 * Repeated are: requests that never left; those refused with 429; and, if sending twice does no
 * more than sending once (`repeatable`), also those without an answer and those answered with 502,
 * 503 or 504. `Retry-After` is waited for if it is short enough.
 *
 * @throws {@link APIError} the server's error, when repeating is not allowed or did not help.
 * @throws {@link TransportError} there was no answer, likewise.
 */
export function* sendWithRetries(
  options: RetryOptions,
  repeatable: boolean,
  random: Random,
  now: () => number,
): Generator<RetryStep, Answer, RetryReply> {
  for (let repeat = 0; ; repeat++) {
    const reply = (yield "send") as Answer | TransportError;
    if (!(reply instanceof TransportError) && isOk(reply.status)) return reply;
    const error = reply instanceof TransportError ? reply : readError(reply, now());
    const retryAfterMs = (error instanceof APIError ? error.retryAfterMs : undefined) ?? 0;
    const giveUp =
      repeat >= options.maxRetries ||
      retryAfterMs > options.maxRetryAfterMs ||
      !mayRepeat(error, repeatable);
    if (giveUp) throw error;
    yield retryAfterMs + backoffDelayMs(options.backoff, repeat, random);
  }
}

function mayRepeat(error: FlowMaestroError, repeatable: boolean): boolean {
  if (error instanceof APIError) {
    return (repeatable ? REPEATED_STATUSES : REFUSED_STATUSES).has(error.status);
  }
  if (error instanceof ConnectionFailed && !error.sent) return true;
  return repeatable && error instanceof TransportError;
}
