import { expect, test } from "vitest";
import { parseCursor } from "../../src/events/cursor.js";
import { vectors } from "../support/vectors.js";

const { vectors: VECTORS } = vectors<{
  vectors: { text: string; number?: number; invalid?: true }[];
}>("cursor.json");

test.each(VECTORS)("$text", ({ text, number }) => {
  expect(parseCursor(text)).toBe(number);
});
