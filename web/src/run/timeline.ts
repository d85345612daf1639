/** Where things lie on the timeline. */

const STEPS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000,
  300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
];

/** Returns where to mark a span of `spanMs`: at round times, at most `most` of them. */
export function ticks(spanMs: number, most: number): readonly number[] {
  const rough = spanMs / Math.max(1, most);
  const step = STEPS_MS.find((candidate) => candidate >= rough) ?? rough;
  const found: number[] = [];
  for (let at = 0; at <= spanMs; at += step) found.push(at);
  return found;
}

/** Returns a part of a span in percent of it: where it begins, and how long it is. */
export function placed(
  startMs: number,
  endMs: number,
  originMs: number,
  spanMs: number,
): { readonly left: number; readonly width: number } {
  const percent = (ms: number) => Math.min(100, Math.max(0, (100 * ms) / spanMs));
  const left = percent(startMs - originMs);
  return { left, width: Math.max(0, percent(endMs - originMs) - left) };
}
