import { expect, test } from "vitest";
import {
  APIError,
  ConnectionFailed,
  RequestTimeout,
  StreamProtocolError,
} from "../../src/errors.js";
import type { Action, Reply } from "../../src/streaming/actions.js";
import { vectors } from "../support/vectors.js";
import { Driver } from "./resume-driver.js";

interface VectorConnection {
  refused?: true;
  status?: number;
  headers?: Record<string, string>;
  error?: string;
  body?: (string | number)[];
  end?: "close" | "error" | "silence";
}

interface Vector {
  name: string;
  cursor: number;
  connections: VectorConnection[];
  cursors: number[];
  numbers: number[];
  outcome: "ended" | "api_error" | "protocol_error";
  code?: string;
  waits_ms?: [number, number][];
}

const { log, vectors: VECTORS } = vectors<{ log: string[]; vectors: Vector[] }>("resume.json");

test.each(VECTORS)("$name", (vector) => {
  const driver = new Driver({}, vector.cursor);
  const error = outcomeOf(() => driver.run(playing(vector.connections)));
  expect(driver.numbers).toEqual(vector.numbers);
  expect(driver.cursors).toEqual(vector.cursors);
  switch (vector.outcome) {
    case "ended":
      expect(error).toBeUndefined();
      break;
    case "api_error":
      expect(error).toBeInstanceOf(APIError);
      expect(error).toHaveProperty("code", vector.code);
      break;
    case "protocol_error":
      expect(error).toBeInstanceOf(StreamProtocolError);
      expect(error).toHaveProperty("lastEventId", vector.numbers.at(-1) ?? vector.cursor);
  }
  if (vector.waits_ms === undefined) return;
  expect(driver.waitsMs).toHaveLength(vector.waits_ms.length);
  for (const [index, [shortest, longest]] of vector.waits_ms.entries()) {
    expect(driver.waitsMs[index]).toBeGreaterThanOrEqual(shortest);
    expect(driver.waitsMs[index]).toBeLessThanOrEqual(longest);
  }
});

function outcomeOf(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Returns what answers actions with `connections`, one after the other. */
function playing(connections: readonly VectorConnection[]): (action: Action) => Reply {
  const remaining = [...connections];
  let reads: Reply[] = [];
  return (action) => {
    if (action.kind === "read") return reads.shift();
    const connection = remaining.shift();
    if (connection === undefined) throw new Error("it asks once more than the vector does");
    if (connection.refused) return new ConnectionFailed("refused", false);
    const headers = { "content-type": "text/event-stream", ...connection.headers };
    const body = bodyOf(connection);
    const endings = {
      close: new Uint8Array(),
      error: new ConnectionFailed("broke", true),
      silence: new RequestTimeout("silent"),
    };
    reads = [...(body.length > 0 ? [body] : []), endings[connection.end ?? "close"]];
    return {
      status: connection.status ?? 200,
      header: (name) => (headers as Record<string, string>)[name],
    };
  };
}

function bodyOf({ error, body = [] }: VectorConnection): Buffer {
  if (error !== undefined) {
    const failure = { code: error, message: "It failed.", details: null };
    return Buffer.from(JSON.stringify({ error: failure, meta: { request_id: "req_1" } }));
  }
  return Buffer.from(body.map((part) => (typeof part === "number" ? frame(part) : part)).join(""));
}

function frame(number: number): string {
  const data = log[number - 1] ?? "";
  return `id: ${number}\nevent: ${JSON.parse(data).type}\ndata: ${data}\n\n`;
}
