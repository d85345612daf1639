import fc from "fast-check";
import { expect, test } from "vitest";
import { type ServerSentEvent, SSEDecoder } from "../../src/events/sse-decoder.js";
import { vectors } from "../support/vectors.js";

/** `make fuzz` asks for more, and for other ones. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 500);
const SEED = process.env.FUZZ_SEED;
const PARAMETERS = { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) };
const PATIENCE_MS = 300_000;

interface Outcome {
  events: ServerSentEvent[];
  lastEventId: string;
  retryMs: number | undefined;
}

type Chunk = string | { hex: string };

const VECTORS = vectors<{ vectors: { chunks: Chunk[] }[] }>("sse-decode.json").vectors;

function bytesOf(chunk: Chunk): Buffer {
  return typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk.hex, "hex");
}

function decode(chunks: readonly Uint8Array[]): Outcome {
  const decoder = new SSEDecoder();
  const events = chunks.flatMap((chunk) => decoder.feed(chunk));
  return { events, lastEventId: decoder.lastEventId, retryMs: decoder.retryMs };
}

/** The standard's algorithm (WHATWG HTML §9.2.6), over the whole text of a stream that has ended. */
function reference(stream: Uint8Array): Outcome {
  const text = new TextDecoder("utf-8").decode(stream);
  // Text after the last line ending is a line that the end of the stream broke off.
  const lines = text.split(/\r\n|\r|\n/).slice(0, -1);
  const events: ServerSentEvent[] = [];
  let lastEventId = "";
  let retryMs: number | undefined;
  let data = "";
  let eventType = "";
  let id = "";
  for (const line of lines) {
    if (line === "") {
      lastEventId = id;
      if (data !== "") {
        events.push({ event: eventType || "message", data: data.slice(0, -1), id: lastEventId });
      }
      data = eventType = "";
      continue;
    }
    if (line.startsWith(":")) continue;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") eventType = value;
    else if (field === "data") data += `${value}\n`;
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) {
      retryMs = Math.min(Number(value), Number.MAX_SAFE_INTEGER);
    }
  }
  return { events, lastEventId, retryMs };
}

// Pieces that mean something to the parser, so that random streams are more than one long comment.
const PIECES = [
  ..."\n|\r|\r\n|\n\n|:|: | |\0|\ufeff|data|data:|data: |event: |id: |id|retry: ".split("|"),
  ..."retry: 12\n|data: x\n\n|id: 5\n\n|7|²١\u2028|é|\u{1f600}".split("|"),
].map((piece) => Buffer.from(piece));
const BROKEN = [[0xf0, 0x9f], [0xe2, 0x82], [0xff], [0xed, 0xa0]].map((bytes) =>
  Buffer.from(bytes),
);

const drawn = fc
  .array(
    fc.oneof(
      fc.constantFrom(...PIECES, ...BROKEN),
      fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    ),
    { maxLength: 40 },
  )
  .map((pieces) => Buffer.concat(pieces));
const recorded = fc
  .constantFrom(...VECTORS)
  .map(({ chunks }) => Buffer.concat(chunks.map((chunk) => bytesOf(chunk))));
const cuts = fc.array(fc.nat(400), { maxLength: 20 });

function cutAt(stream: Buffer, places: readonly number[]): Buffer[] {
  const bounds = [...places.map((place) => Math.min(place, stream.length)), stream.length];
  bounds.sort((a, b) => a - b);
  return bounds.map((end, index) => stream.subarray(index === 0 ? 0 : bounds[index - 1], end));
}

test(
  "any stream, cut anywhere, is decoded as the standard says",
  () => {
    fc.assert(
      fc.property(fc.oneof(drawn, recorded), cuts, (stream, places) => {
        const expected = reference(stream);
        expect(decode([stream])).toEqual(expected);
        expect(decode(cutAt(stream, places))).toEqual(expected);
        expect(decode(Array.from(stream, (byte) => Uint8Array.of(byte)))).toEqual(expected);
      }),
      PARAMETERS,
    );
  },
  PATIENCE_MS,
);

test(
  "a decoder with a limit tells the same events until it gives up",
  () => {
    fc.assert(
      fc.property(drawn, cuts, fc.integer({ min: 1, max: 64 }), (stream, places, limit) => {
        const decoder = new SSEDecoder(limit);
        const events: ServerSentEvent[] = [];
        for (const chunk of cutAt(stream, places)) {
          events.push(...decoder.feed(chunk));
          if (decoder.overflowed) break;
        }
        expect(events).toEqual(reference(stream).events.slice(0, events.length));
      }),
      PARAMETERS,
    );
  },
  PATIENCE_MS,
);
