/** The largest cursor: the largest integer that a JSON number holds exactly. */
export const MAX_CURSOR = Number.MAX_SAFE_INTEGER;

const DIGITS = /^[0-9]{1,16}$/;

/**
 * Returns the number that `text` (the `id` of a frame) stands for, or `undefined` if it is none:
 * only 1 to 16 ASCII digits are.
 */
export function parseCursor(text: string): number | undefined {
  if (!DIGITS.test(text)) return undefined;
  const number = Number(text);
  return number <= MAX_CURSOR ? number : undefined;
}
