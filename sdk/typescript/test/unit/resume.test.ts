/** What the vectors do not say: how a stream gives up, its deadline, and tickets. */

import { describe, expect, test } from "vitest";
import {
  APIError,
  ConnectionFailed,
  DeadlineExceeded,
  RequestTimeout,
  StreamInterrupted,
  StreamProtocolError,
  StreamStalled,
} from "../../src/errors.js";
import type { Head, Reply } from "../../src/streaming/actions.js";
import { frames, NUMBERS, opening } from "../support/recorded-events.js";
import { Driver } from "./resume-driver.js";

const END = new Uint8Array();
const BROKEN = new ConnectionFailed("broke", true);

function head(status = 200, headers: Record<string, string> = {}): Head {
  const all: Record<string, string> = { "content-type": "text/event-stream", ...headers };
  return { status, header: (name) => all[name] };
}

/** Answers every action of a driver with the next reply. */
function inOrder(...replies: Reply[]): () => Reply {
  return () => {
    if (replies.length === 0) throw new Error("it asks for more than there is");
    return replies.shift();
  };
}

const bytes = (...texts: string[]): Uint8Array => Buffer.from(texts.join(""));
const whole = bytes(opening(), ...frames());

describe("giving up", () => {
  test("after maxReconnects without an event, with the last failure", () => {
    const driver = new Driver({ maxReconnects: 2 });
    const run = () => driver.run((action) => (action.kind === "open" ? head() : END));
    expect(run).toThrow(StreamInterrupted);
    expect(driver.cursors).toEqual([0, 0, 0]);
  });

  test("maxReconnects: 0 never reconnects", () => {
    const driver = new Driver({ maxReconnects: 0 });
    expect(() => driver.run(inOrder(BROKEN))).toThrow(BROKEN);
  });

  test("an event begins the count anew", () => {
    const driver = new Driver({ maxReconnects: 1 });
    const [first = "", second = "", ...rest] = frames();
    driver.run(
      inOrder(
        ...[head(), bytes(first), END],
        ...[head(), bytes(second), END],
        ...[head(), bytes(...rest)],
      ),
    );
    expect(driver.numbers).toEqual([1, 2, 3, 4]);
  });

  test("after a few times if no server ever answered", () => {
    const driver = new Driver({ maxFirstReconnects: 3 });
    expect(() => driver.run(() => BROKEN)).toThrow(BROKEN);
    expect(driver.cursors).toHaveLength(4);
  });

  test("not so once a server has answered", () => {
    const driver = new Driver({ maxFirstReconnects: 0 });
    driver.run(inOrder(head(), END, ...Array<Reply>(50).fill(BROKEN), head(), whole));
    expect(driver.numbers).toEqual([1, 2, 3, 4]);
  });

  test("when the server asks to wait too long", () => {
    const driver = new Driver();
    const unavailable = head(503, { "retry-after": "121" });
    expect(() => driver.run(inOrder(unavailable, END))).toThrow(APIError);
  });

  test("at once when an event is too large to hold", () => {
    const driver = new Driver();
    const endless = Buffer.alloc(1024 * 1024, "x");
    let reads = 0;
    const run = () =>
      driver.run((action) => {
        if (action.kind === "open") return head();
        return reads++ === 0 ? bytes(opening(), frames()[0] ?? "", "data: ") : endless;
      });
    expect(run).toThrow(StreamProtocolError);
    expect(driver.cursors).toEqual([0]);
    expect(driver.numbers).toEqual([1]);
  });
});

test("a step back is one among repeats, too, wherever chunks end", () => {
  const driver = new Driver({ maxReconnects: 0 }, 3);
  const [, second = "", third = ""] = frames();
  const run = () => driver.run(inOrder(head(), bytes(third), bytes(second)));
  expect(run).toThrow(StreamProtocolError);
});

describe("waiting", () => {
  test("a connection that lived long begins the count anew, events or not", () => {
    const driver = new Driver();
    let opened = 0;
    driver.run((action) => {
      if (action.kind === "open") {
        opened += 1;
        return head();
      }
      if (opened === 4) return whole;
      const silent = driver.clockMs % 60_000 === 0;
      driver.clockMs += 30_000;
      return silent ? bytes(": heartbeat\n\n") : END;
    });
    expect(driver.waitsMs).toEqual([375, 375, 375]);
  });

  test("retry: 0 does not become a loop without pauses", () => {
    const driver = new Driver({ maxReconnects: 3 });
    const run = () =>
      driver.run((action) => {
        if (action.kind === "open") return head();
        return driver.actions.at(-2)?.kind === "open" ? bytes("retry: 0\n\n") : END;
      });
    expect(run).toThrow(StreamInterrupted);
    expect(driver.waitsMs).toEqual([0, 75, 150]);
  });

  test("silence is told with its length", () => {
    const driver = new Driver({ maxReconnects: 0, stallMs: 1500 });
    const run = () => driver.run(inOrder(head(), new RequestTimeout("silent")));
    expect(run).toThrow(new StreamStalled("Nothing came for 1.5 seconds.", 0));
  });
});

describe("a deadline", () => {
  test("bounds every action", () => {
    const driver = new Driver({ timeoutMs: 1000 });
    const run = () =>
      driver.run((action) => {
        driver.clockMs += 400;
        return action.kind === "open" ? head() : bytes(": heartbeat\n\n");
      });
    expect(run).toThrow(DeadlineExceeded);
    expect(driver.actions.map((action) => "remainingMs" in action && action.remainingMs)).toEqual([
      1000, 600, 200,
    ]);
  });

  test("is not overslept, and the failure before it is its cause", () => {
    const driver = new Driver({ timeoutMs: 100 });
    const run = () =>
      driver.run(() => {
        driver.clockMs += 90;
        return BROKEN;
      });
    expect(run).toThrow(expect.objectContaining({ name: "DeadlineExceeded", cause: BROKEN }));
    expect(driver.waitsMs).toEqual([10]);
  });
});

describe("tickets", () => {
  const refused = [
    head(401),
    bytes('{"error": {"code": "invalid_api_key", "message": "Old."}}'),
    END,
  ];

  test("one that is refused is renewed", () => {
    const driver = new Driver({ renewsTickets: true });
    const [first = "", ...rest] = frames();
    driver.run(inOrder(head(), bytes(first), END, ...refused, head(), bytes(...rest)));
    expect(driver.cursors).toEqual([0, 1, 1]);
    expect(driver.numbers).toEqual([1, 2, 3, 4]);
  });

  test("a new one that is refused as well throws", () => {
    const driver = new Driver({ renewsTickets: true });
    expect(() => driver.run(inOrder(...refused, ...refused))).toThrow("Old.");
  });

  test("a key that is refused throws at once", () => {
    const driver = new Driver();
    expect(() => driver.run(inOrder(...refused))).toThrow("Old.");
  });
});

test("what a connection begins with is told, and is no event", () => {
  const driver = new Driver();
  driver.run(inOrder(head(), whole));
  expect(driver.actions.map((action) => action.kind)).toEqual([
    "open",
    "read",
    "connected",
    "deliver",
  ]);
  expect(driver.numbers).toEqual(NUMBERS);
});
