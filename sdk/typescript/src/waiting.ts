/** The longest time that platforms' timers take; they fire at once for a longer one. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What {@link within} resolves to when the time is over. */
export const TIMED_OUT: unique symbol = Symbol("timed out");

/**
 * Resolves as `work` does, or to {@link TIMED_OUT} after `ms` milliseconds. `work` itself goes on,
 * and how it ends then is of no concern.
 *
 * @throws the signal's reason when it aborts first.
 */
export function within<Result>(
  work: Promise<Result>,
  ms: number,
  signal: AbortSignal,
): Promise<Result | typeof TIMED_OUT> {
  // Not Promise.race: what it is given to lose keeps every race it was in alive.
  return new Promise((resolve, reject) => {
    // Rounded up: a timer takes whole milliseconds, and must not fire before its time.
    const wholeMs = Math.ceil(Math.min(ms, MAX_TIMER_MS));
    const timer = setTimeout(() => settle(() => resolve(TIMED_OUT)), wholeMs);
    const onAbort = (): void => settle(() => reject(signal.reason));
    const settle = (how: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      how();
    };
    signal.addEventListener("abort", onAbort);
    work.then(
      (result) => settle(() => resolve(result)),
      (error: unknown) => settle(() => reject(error)),
    );
    if (signal.aborted) onAbort();
  });
}

/**
 * Resolves after `ms` milliseconds.
 *
 * @throws the signal's reason when it aborts first.
 */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await within(new Promise<never>(() => {}), ms, signal);
}

/** Aborts `controller` when `signal` aborts; returns what undoes that. */
export function follow(signal: AbortSignal | undefined, controller: AbortController): () => void {
  if (signal === undefined) return () => {};
  const onAbort = (): void => controller.abort(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort);
  return () => signal.removeEventListener("abort", onAbort);
}
