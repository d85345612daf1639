/**
 * How long to wait before trying again.
 *
 * The wait before try `n` (0 is the first repeat) is drawn evenly from the upper half of
 * `min(maxMs, baseMs * 2 ** n)`. With the defaults (500 and 30,000 ms) the waits are at most 0.5, 1,
 * 2, 4, 8, 16, 30, 30, … seconds and at least half of that: many clients that lost the same server
 * do not come back at the same moment.
 */
export interface Backoff {
  /** The longest first wait, in milliseconds. */
  readonly baseMs: number;
  /** The longest wait of all, in milliseconds. */
  readonly maxMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 500, maxMs: 30_000 };

/** Returns a number from 0 to below 1. */
export type Random = () => number;

/** Returns how many milliseconds to wait before the `repeat`-th repeat, counted from 0. */
export function backoffDelayMs({ baseMs, maxMs }: Backoff, repeat: number, random: Random): number {
  // 0 * Infinity is no number, and no base needs this many doublings to reach the top.
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(repeat, 64));
  return ceiling * (0.5 + random() / 2);
}

/**
 * Returns the milliseconds that a `Retry-After` header asks for (RFC 9110 §10.2.3), at least 0;
 * `undefined` for no header, or one that is neither whole seconds nor a date.
 *
 * @param now - the present moment, in milliseconds since 1970.
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^[0-9]+$/.test(text)) return Number(text.slice(0, 12)) * 1000;
  // An HTTP date begins with the day's name; Date.parse takes much else, such as "1.5".
  const moment = /^[A-Za-z]{3,9}, ?/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(moment) ? undefined : Math.max(0, moment - now);
}
