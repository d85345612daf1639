import { backoffDelayMs } from "../backoff.js";
import {
  APIError,
  ConnectionFailed,
  DeadlineExceeded,
  type FlowMaestroError,
  StreamProtocolError,
} from "../errors.js";
import type { Reconnecting, ResumeOptions, World } from "./actions.js";

const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);
/** From the second wait on; a server's `retry: 0` must not become a loop without pauses. */
const MIN_GROWING_BASE_MS = 50;

/** What a stream has met with so far, and so whether to go on, and how long to wait before. */
export class Setbacks {
  /** Whether a server has ever answered. */
  answered = false;
  /** How long the server asked to wait before reconnecting, if it did. */
  retryMs: number | undefined;

  readonly #options: ResumeOptions;
  readonly #world: World;
  readonly #deadline: number | undefined;
  /** In a row without progress. */
  #failures = 0;
  #lastFailure: FlowMaestroError | undefined;
  /** The cursor at which the last violation was seen. */
  #violatedAt: number | undefined;
  /** The cursor at which the last ticket was refused. */
  #refusedAt: number | undefined;

  constructor(options: ResumeOptions, world: World) {
    this.#options = options;
    this.#world = world;
    const { timeoutMs } = options;
    this.#deadline = timeoutMs === undefined ? undefined : world.clock() + timeoutMs;
  }

  /** Something came: what was before no longer counts. */
  progressed(): void {
    this.#failures = 0;
  }

  /** Whether opening the stream again can help against `error`. */
  mayAskAgain(error: FlowMaestroError, lastEventId: number): boolean {
    if (!(error instanceof APIError)) return false;
    if (error.status === 401 && this.#options.renewsTickets) {
      const before = this.#refusedAt;
      this.#refusedAt = lastEventId;
      return before !== lastEventId;
    }
    return error.status >= 500 || RETRYABLE_STATUSES.has(error.status);
  }

  /**
   * Returns the failure that a violation of the protocol is.
   *
   * @throws it, when it is the second at this cursor, or would be the same `again`.
   */
  violated(
    reason: string,
    lastEventId: number,
    { again = false, cause }: { again?: boolean; cause?: Error | undefined } = {},
  ): StreamProtocolError {
    const error = new StreamProtocolError(
      `The server sent what no event stream carries: ${reason}.`,
      lastEventId,
      { cause },
    );
    if (again || this.#violatedAt === lastEventId) throw error;
    this.#violatedAt = lastEventId;
    return error;
  }

  /** Returns the wait before the next connection, or throws `failure` for the last time. */
  reconnecting(failure: FlowMaestroError, lastEventId: number): Reconnecting {
    this.#lastFailure = failure;
    const { maxReconnects, maxFirstReconnects, maxRetryAfterMs } = this.#options;
    const remainingMs = this.remainingMs();
    // Browsers do not tell whether there was a connection at all.
    const neverAnswered = failure instanceof ConnectionFailed && !this.answered;
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
      lastEventId,
    };
  }

  /**
   * How much of the caller's time is left; `undefined` for any amount.
   *
   * @throws {@link DeadlineExceeded} none is.
   */
  remainingMs(): number | undefined {
    if (this.#deadline === undefined) return undefined;
    const remaining = this.#deadline - this.#world.clock();
    if (remaining > 0) return remaining;
    throw new DeadlineExceeded(
      `The execution did not end within ${this.#options.timeoutMs} milliseconds.`,
      { cause: this.#lastFailure },
    );
  }

  #backoffMs(): number {
    const { backoff } = this.#options;
    const asked = this.retryMs ?? backoff.baseMs;
    const least = this.#failures > 0 ? Math.min(MIN_GROWING_BASE_MS, backoff.baseMs) : 0;
    const baseMs = Math.max(asked, least);
    return backoffDelayMs({ baseMs, maxMs: backoff.maxMs }, this.#failures, this.#world.random);
  }
}
