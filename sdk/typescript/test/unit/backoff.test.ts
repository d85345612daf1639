import { describe, expect, test } from "vitest";
import { backoffDelayMs, DEFAULT_BACKOFF, parseRetryAfter } from "../../src/backoff.js";

describe("backoff", () => {
  const longest = (repeat: number) => backoffDelayMs(DEFAULT_BACKOFF, repeat, () => 1);

  test("doubles up to its maximum", () => {
    const seconds = [0, 1, 2, 3, 4, 5, 6, 7, 5000].map((repeat) => longest(repeat) / 1000);
    expect(seconds).toEqual([0.5, 1, 2, 4, 8, 16, 30, 30, 30]);
  });

  test("waits at least half of that", () => {
    expect(backoffDelayMs(DEFAULT_BACKOFF, 1, () => 0)).toBe(500);
  });

  test("of nothing is nothing, however often", () => {
    expect(backoffDelayMs({ baseMs: 0, maxMs: 30_000 }, 5000, () => 0.5)).toBe(0);
  });
});

describe("Retry-After", () => {
  const NOW = Date.parse("2026-01-02T03:04:05Z");

  test.each([
    ["7", 7000],
    [" 0 ", 0],
    ["9".repeat(400), 999_999_999_999_000],
    ["Fri, 02 Jan 2026 03:04:15 GMT", 10_000],
    ["Fri, 02 Jan 2026 03:00:00 GMT", 0],
    ["1.5", undefined],
    ["-1", undefined],
    ["soon", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%s", (header, expected) => {
    expect(parseRetryAfter(header, NOW)).toBe(expected);
  });
});
