/** What a stream asks of whoever drives it, and is told: see `resume.ts`. */

import type { Backoff, Random } from "../backoff.js";
import type { FlowMaestroError, TransportError } from "../errors.js";
import type { Connected, StreamEvent } from "../events/models.js";

/** Request the events after `lastEventId`. */
export interface Open {
  readonly kind: "open";
  readonly lastEventId: number;
  /** How much of the caller's own time is left. */
  readonly remainingMs: number | undefined;
}

export interface Read {
  readonly kind: "read";
  readonly remainingMs: number | undefined;
}

export interface Deliver {
  readonly kind: "deliver";
  /** At least one, in order. */
  readonly events: readonly StreamEvent[];
}

/** The stream broke off and will be opened again. */
export interface Reconnecting {
  readonly kind: "reconnecting";
  readonly reason: FlowMaestroError;
  /** How many milliseconds it waits before that. */
  readonly delayMs: number;
  /** The number of the last event delivered: the stream goes on after it. */
  readonly lastEventId: number;
}

/** The beginning of a response. */
export interface Head {
  readonly status: number;
  /** Looks a header up, in any case. */
  readonly header: (name: string) => string | undefined;
}

export type Action =
  | Open
  | Read
  | Deliver
  | Reconnecting
  | { readonly kind: "connected"; readonly event: Connected };
export type Reply = Head | Uint8Array | TransportError | undefined;

/** When to give up, and how long to wait before that. */
export interface ResumeOptions {
  /** Its base is replaced by the server's `retry:`. */
  readonly backoff: Backoff;
  /** Only told in errors: whoever drives the generator keeps the time of a single read. */
  readonly stallMs: number;
  /** How many reconnects in a row may bring no event; `undefined` is any number. */
  readonly maxReconnects: number | undefined;
  /**
   * The same while no server has ever answered, if `maxReconnects` is `undefined`: a wrong address
   * should not be waited for.
   */
  readonly maxFirstReconnects: number;
  /** A server that asks to wait longer than this gets its error thrown instead. */
  readonly maxRetryAfterMs: number;
  /** How long the whole stream may take; `undefined` is any time. */
  readonly timeoutMs: number | undefined;
  /**
   * Whether each `open` is sent with a ticket of its own: then one 401 is only an old ticket, and
   * the next, without an event in between, throws.
   */
  readonly renewsTickets: boolean;
}

/** What the generator takes from the world. */
export interface World {
  /** Milliseconds that only ever grow. */
  readonly clock: () => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: Random;
}
