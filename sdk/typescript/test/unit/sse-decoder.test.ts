import { describe, expect, test } from "vitest";
import { type ServerSentEvent, SSEDecoder } from "../../src/events/sse-decoder.js";
import { vectors } from "../support/vectors.js";

interface Vector {
  name: string;
  chunks: (string | { hex: string })[];
  events: ServerSentEvent[];
  last_event_id: string;
  retry_ms: number | null;
  events_after_chunk?: number[];
}

const VECTORS = vectors<{ vectors: Vector[] }>("sse-decode.json").vectors;

function bytesOf(chunk: string | { hex: string }): Buffer {
  return typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk.hex, "hex");
}

function decode(chunks: readonly Uint8Array[]) {
  const decoder = new SSEDecoder();
  const events: ServerSentEvent[] = [];
  const counts = chunks.map((chunk) => events.push(...decoder.feed(chunk)));
  const { lastEventId, retryMs } = decoder;
  return { result: { events, last_event_id: lastEventId, retry_ms: retryMs ?? null }, counts };
}

describe.each(VECTORS)(
  "$name",
  ({ chunks, events_after_chunk, events, last_event_id, retry_ms }) => {
    const expected = { events, last_event_id, retry_ms };
    const whole = Buffer.concat(chunks.map(bytesOf));

    test("as it is", () => {
      const { result, counts } = decode(chunks.map(bytesOf));
      expect(result).toEqual(expected);
      if (events_after_chunk !== undefined) expect(counts).toEqual(events_after_chunk);
    });

    test("in one chunk", () => {
      expect(decode([whole]).result).toEqual(expected);
    });

    test("byte by byte", () => {
      expect(decode(Array.from(whole, (byte) => Uint8Array.of(byte))).result).toEqual(expected);
    });

    test("cut in two anywhere", () => {
      for (let at = 1; at < whole.length; at++) {
        expect(decode([whole.subarray(0, at), whole.subarray(at)]).result).toEqual(expected);
      }
    });
  },
);

describe("an event that is too large", () => {
  const LIMIT = 100;

  test("is noticed before its end, and what came before it is not lost", () => {
    const decoder = new SSEDecoder(LIMIT);
    const events = decoder.feed(Buffer.from(`data: small\n\ndata: ${"x".repeat(LIMIT)}`));
    expect(events.map((event) => event.data)).toEqual(["small"]);
    expect(decoder.overflowed).toBe(true);
  });

  test("may come in many lines", () => {
    const decoder = new SSEDecoder(LIMIT);
    for (let line = 0; line < 20 && !decoder.overflowed; line++) {
      decoder.feed(Buffer.from(`data: ${"x".repeat(10)}\n`));
    }
    expect(decoder.overflowed).toBe(true);
  });

  test("is none if its lines are comments", () => {
    const decoder = new SSEDecoder(LIMIT);
    decoder.feed(Buffer.from(`: ${"x".repeat(10 * LIMIT)}`));
    expect(decoder.feed(Buffer.from("\ndata: a\n\n"))).toHaveLength(1);
    expect(decoder.overflowed).toBe(false);
  });
});
