/** Streams over real sockets, through everything that breaks them. */

import { describe, expect } from "vitest";
import {
  ConnectionFailed,
  CursorExpired,
  DeadlineExceeded,
  InvalidAPIKey,
  type Reconnecting,
  StreamProtocolError,
  StreamStalled,
} from "../../src/index.js";
import { frames, LOG, NUMBERS, opening } from "../support/recorded-events.js";
import {
  chunk,
  failure,
  first,
  inOrder,
  response,
  ScriptedAnswer,
  stream,
  unusedUrl,
} from "../support/scripted-server.js";
import {
  clientOf,
  EXECUTION_ID,
  follow,
  KEY,
  OPEN_ENDED,
  resuming,
  test,
  whole,
} from "./fixtures.js";

describe("a whole stream", () => {
  test.for([true, false])("chunked: %s", async (chunked, { serve }) => {
    const server = await serve(whole(0, { chunked }));
    const events = [];
    for await (const event of clientOf(server).executions.streamIterator(EXECUTION_ID)) {
      events.push(event);
    }
    expect(events).toEqual(LOG.map((data, index) => ({ ...JSON.parse(data), number: index + 1 })));
    expect(server.requests).toHaveLength(1);
    const { path, headers } = server.requests[0] ?? {};
    expect(path).toBe("/api/v1/executions/exec_01jx/events");
    expect(headers).toMatchObject({
      "x-api-key": KEY,
      accept: "text/event-stream",
      "accept-encoding": "identity",
    });
    expect(headers).not.toHaveProperty("last-event-id");
  });

  test("from a cursor, with filters", async ({ serve }) => {
    const server = await serve(resuming);
    const options = { lastEventId: 2, types: ["node:completed"], include: ["node:log"] };
    expect(await follow(clientOf(server), options)).toEqual([3, 4]);
    expect(server.requests[0]?.headers).toHaveProperty("last-event-id", "2");
    expect(server.requests[0]?.query).toEqual({ types: "node:completed", include: "node:log" });
  });

  test("204 ends it", async ({ serve }) => {
    const server = await serve(resuming);
    expect(await follow(clientOf(server), { lastEventId: LOG.length })).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  test("many at once share one client", async ({ serve }) => {
    const client = clientOf(await serve(resuming));
    const all = await Promise.all(Array.from({ length: 60 }, () => follow(client)));
    expect(all).toEqual(all.map(() => NUMBERS));
  });
});

describe("nothing is lost or doubled", () => {
  test.for([true, false])("by a cut after any byte; chunked: %s", async (chunked, { serve }) => {
    const server = await serve(resuming);
    const client = clientOf(server);
    const answer = whole(0, { chunked });
    for (let length = 0; length < answer.data.length; length++) {
      server.script = first(answer.cut(length), resuming);
      expect(await follow(client), `cut after ${length} bytes`).toEqual(NUMBERS);
    }
  });

  test("by a reset", async ({ serve }) => {
    const server = await serve(resuming);
    const client = clientOf(server);
    for (let length = 0; length < whole().data.length; length += 97) {
      server.script = first(whole().cut(length, "reset"), resuming);
      expect(await follow(client), `reset after ${length} bytes`).toEqual(NUMBERS);
    }
  });

  test("by bytes that trickle", async ({ serve }) => {
    expect(await follow(clientOf(await serve(whole().trickled())))).toEqual(NUMBERS);
  });

  test("by characters that are split at any byte", async ({ serve }) => {
    const answer = whole(0, { chunked: false });
    const server = await serve(answer);
    const client = clientOf(server);
    const positions = [...answer.data.keys()].filter((at) => (answer.data[at] ?? 0) >= 0x80);
    expect(positions.length).toBeGreaterThan(10);
    for (const position of positions) {
      server.script = inOrder(answer.split(position));
      for await (const event of client.executions.streamIterator(EXECUTION_ID)) {
        if (event.type !== "node:completed") continue;
        expect(event.outputs).toEqual({ text: "Grüße, 世界 🎉" });
      }
    }
  });

  test("by garbage that comes once", async ({ serve }) => {
    const garbage = stream([opening(), frames()[0] ?? "", "id: 2\ndata: {\n\n"]);
    expect(await follow(clientOf(await serve(first(garbage, resuming))))).toEqual(NUMBERS);
  });

  test.for([429, 500, 502, 503, 504])("by status %i", async (status, { serve }) => {
    const answer = failure(status, "service_unavailable", { headers: { "Retry-After": "0" } });
    expect(await follow(clientOf(await serve(first(answer, resuming))))).toEqual(NUMBERS);
  });
});

describe("silence is a disconnect", () => {
  test("between events", async ({ serve }) => {
    const silent = stream([opening(), ...frames().slice(0, 2), ": heartbeat\n\n"]).stalledBefore(1);
    const server = await serve(first(silent, resuming));
    expect(await follow(clientOf(server, { stallMs: 100 }))).toEqual(NUMBERS);
    expect(server.requests[1]?.headers).toHaveProperty("last-event-id", "2");
  });

  test("before the response", async ({ serve }) => {
    const server = await serve(first(new ScriptedAnswer([], "stall"), resuming));
    expect(await follow(clientOf(server, { timeout: 100 }))).toEqual(NUMBERS);
  });

  test("and throws when reconnects are limited", async ({ serve }) => {
    const server = await serve(stream([opening()]).stalledBefore(1));
    const following = follow(clientOf(server, { stallMs: 50 }), { maxReconnects: 1 });
    await expect(following).rejects.toThrow(StreamStalled);
    expect(server.requests).toHaveLength(2);
  });
});

describe("it gives up", () => {
  test("when the cursor has expired", async ({ serve }) => {
    const server = await serve(failure(410, "cursor_expired", { message: "Gone." }));
    await expect(follow(clientOf(server), { lastEventId: 2 })).rejects.toThrow(CursorExpired);
    expect(server.requests).toHaveLength(1);
  });

  test("when its key dies in between", async ({ serve }) => {
    const cut = whole().cut(whole().data.length - 100);
    const server = await serve(inOrder(cut, failure(401, "invalid_api_key")));
    const error = await follow(clientOf(server)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidAPIKey);
    expect(error).toHaveProperty("requestId", "req_1");
    expect(String(error)).not.toContain(KEY);
  });

  test("when garbage comes twice", async ({ serve }) => {
    const garbage = stream([opening(), "id: 2\ndata: {\n\n"]);
    await expect(follow(clientOf(await serve(garbage)))).rejects.toThrow(StreamProtocolError);
  });

  test("when what answers speaks no HTTP", async ({ serve }) => {
    const server = await serve(new ScriptedAnswer([Buffer.from("\0\x01 hello\r\n\r\n")]));
    await expect(follow(clientOf(server))).rejects.toThrow(ConnectionFailed);
    expect(server.requests).toHaveLength(4);
  });

  test("soon when nobody listens, and names the server", async () => {
    const url = await unusedUrl();
    const error = await follow(clientOf(url)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConnectionFailed);
    expect(error).toHaveProperty("sent", false);
    expect(String(error)).toContain(url);
  });

  test("when its time is over, heartbeats or not", async ({ serve }) => {
    const { pieces } = stream([opening()]);
    const beats = Array.from({ length: 2000 }, () => chunk(Buffer.from(": heartbeat\n\n")));
    const beating = new ScriptedAnswer([...pieces.slice(0, -1), ...beats], "stall");
    const following = follow(clientOf(await serve(beating)), { timeoutMs: 200 });
    await expect(following).rejects.toThrow(DeadlineExceeded);
  });
});

describe("its connection is freed", () => {
  test("by break", async ({ serve }) => {
    const server = await serve(OPEN_ENDED);
    for await (const event of clientOf(server).executions.streamIterator(EXECUTION_ID)) {
      if (event.number === 2) break;
    }
    await server.until(() => server.openConnections === 0);
  });

  test("by an exception in the loop", async ({ serve }) => {
    const server = await serve(OPEN_ENDED);
    const failing = async () => {
      for await (const _ of clientOf(server).executions.streamIterator(EXECUTION_ID)) {
        throw new Error("mine");
      }
    };
    await expect(failing()).rejects.toThrow("mine");
    await server.until(() => server.openConnections === 0);
  });

  test("by close, which ends an iteration that waits", async ({ serve }) => {
    const server = await serve(OPEN_ENDED);
    const events = clientOf(server).executions.streamIterator(EXECUTION_ID);
    const numbers: number[] = [];
    for await (const event of events) {
      numbers.push(event.number);
      if (event.number === 2) setTimeout(() => void events.close());
    }
    expect(numbers).toEqual([1, 2]);
    expect(events.lastEventId).toBe(2);
    await server.until(() => server.openConnections === 0);
  });

  test("by a signal, whose reason is thrown", async ({ serve }) => {
    const server = await serve(OPEN_ENDED);
    const controller = new AbortController();
    const events = clientOf(server).executions.streamIterator(EXECUTION_ID, {
      signal: controller.signal,
    });
    const following = (async () => {
      for await (const event of events) {
        if (event.number === 2) setTimeout(() => controller.abort(new Error("enough")));
      }
    })();
    await expect(following).rejects.toThrow("enough");
    await server.until(() => server.openConnections === 0);
  });

  test("by a signal while nobody asks for the next event", async ({ serve }) => {
    const server = await serve(OPEN_ENDED);
    const controller = new AbortController();
    const events = clientOf(server).executions.streamIterator(EXECUTION_ID, {
      signal: controller.signal,
    });
    await events.next();
    controller.abort();
    await server.until(() => server.openConnections === 0);
    await expect(events.next()).rejects.toThrow("aborted");
  });
});

describe("waiting to reconnect", () => {
  const unavailable = failure(503, "service_unavailable", { headers: { "Retry-After": "100" } });

  test("is told, with the cursor", async ({ serve }) => {
    const told: Reconnecting[] = [];
    const server = await serve(first(whole().cut(whole().data.length - 10), resuming));
    await follow(clientOf(server), { onReconnect: (notice) => told.push(notice) });
    expect(told.map((notice) => notice.lastEventId)).toEqual([3]);
  });

  test("ends with close", async ({ serve }) => {
    const server = await serve(unavailable);
    const events = clientOf(server).executions.streamIterator(EXECUTION_ID, {
      onReconnect: () => setTimeout(() => void events.close()),
    });
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  test("ends with the signal", async ({ serve }) => {
    const controller = new AbortController();
    const following = follow(clientOf(await serve(unavailable)), {
      signal: controller.signal,
      onReconnect: () => setTimeout(() => controller.abort()),
    });
    await expect(following).rejects.toHaveProperty("name", "AbortError");
  });
});

test("a signal that has aborted before sends nothing", async ({ serve }) => {
  const server = await serve(resuming);
  const signal = AbortSignal.abort();
  await expect(follow(clientOf(server), { signal })).rejects.toHaveProperty("name", "AbortError");
  expect(server.requests).toEqual([]);
});

test("a redirect is not followed, for it would show the key", async ({ serve }) => {
  const target = await serve(resuming);
  const redirect = response(307, "", { Location: `${target.url}/api/v1/elsewhere` });
  await expect(follow(clientOf(await serve(redirect)))).rejects.toThrow(/redirects/);
  expect(target.requests).toEqual([]);
});
