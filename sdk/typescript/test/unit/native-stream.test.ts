/** What a browser's EventSource tells, turned into events; the rest is tested in a real browser. */

import { afterEach, expect, test, vi } from "vitest";
import { ConfigurationError, FlowMaestroClient, StreamProtocolError } from "../../src/index.js";

const ENDED = JSON.stringify({
  type: "execution:cancelled",
  execution_id: "exec_1",
  timestamp: "2026-01-02T03:04:05.678Z",
  status: "cancelled",
  reason: "",
  cancelled_at: "2026-01-02T03:04:05.678Z",
  duration_ms: 1,
});
const LATER = ENDED.replace("execution:cancelled", "later:type");
const CONNECTED = JSON.stringify({
  type: "connected",
  execution_id: "exec_1",
  timestamp: "2026-01-02T03:04:05.678Z",
  status: "running",
  last_event_id: 1,
});

/** Plays frames to each EventSource that is opened. */
function playing(...frames: [type: string, lastEventId: string, data: string][]) {
  const opened: string[] = [];
  let open = 0;
  class Source extends EventTarget {
    readonly CLOSED = 2;
    readyState = 1;
    onopen: (() => void) | undefined;
    constructor(url: string) {
      super();
      opened.push(url);
      open += 1;
      queueMicrotask(() => {
        this.onopen?.();
        for (const [type, lastEventId, data] of frames) {
          this.dispatchEvent(Object.assign(new Event(type), { lastEventId, data }));
        }
      });
    }
    close(): void {
      if (this.readyState !== this.CLOSED) open -= 1;
      this.readyState = this.CLOSED;
    }
  }
  vi.stubGlobal("EventSource", Source);
  return { opened, open: () => open };
}

const client = new FlowMaestroClient({
  apiKey: null,
  baseUrl: "http://127.0.0.1:1",
  backoff: { baseMs: 1, maxMs: 1 },
});

async function follow(options: Record<string, unknown> = {}) {
  const numbers: number[] = [];
  let failure: unknown;
  const subscription = client.executions.openEventSource("exec_1", {
    ticket: "t",
    onEvent: (event) => numbers.push(event.number),
    onError: (error) => {
      failure = error;
    },
    ...options,
  });
  await subscription.closed;
  return { numbers, failure };
}

afterEach(() => vi.unstubAllGlobals());

test("the number that a browser shows for `connected` is an older event's", async () => {
  const played = playing(["connected", "1", CONNECTED], ["execution:cancelled", "2", ENDED]);
  const onConnect = vi.fn();
  expect(await follow({ lastEventId: 1, onConnect })).toEqual({ numbers: [2], failure: undefined });
  expect(onConnect).toHaveBeenCalledOnce();
  expect(played.opened).toEqual([
    "http://127.0.0.1:1/api/v1/executions/exec_1/events?last_event_id=1&ticket=t",
  ]);
  expect(played.open()).toBe(0);
});

test("an event that came before is left out", async () => {
  const played = playing(
    ["later:type", "5", LATER],
    ["later:type", "5", LATER],
    ["execution:cancelled", "6", ENDED],
  );
  expect((await follow({ include: ["later:type"] })).numbers).toEqual([5, 6]);
  expect(played.opened).toHaveLength(1);
});

test("what no stream carries is asked for once more, and then given up", async () => {
  const played = playing(["node:log", "1", "<h1>It works!</h1>"]);
  const { failure } = await follow();
  expect(failure).toBeInstanceOf(StreamProtocolError);
  expect(played.opened).toHaveLength(2);
  expect(played.open()).toBe(0);
});

test("the signal closes it", async () => {
  const played = playing();
  const stop = new AbortController();
  const following = follow({ signal: stop.signal });
  await vi.waitUntil(() => played.open() === 1);
  stop.abort();
  expect(await following).toEqual({ numbers: [], failure: undefined });
  expect(played.open()).toBe(0);
});

test("a platform without an EventSource is told what to use", async () => {
  vi.stubGlobal("EventSource", undefined);
  const { failure } = await follow();
  expect(failure).toBeInstanceOf(ConfigurationError);
  expect(String(failure)).toContain("use stream or streamIterator");
});
