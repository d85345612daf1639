/** `executions.stream`: the same streams, with callbacks. */

import { describe, expect } from "vitest";
import { ResourceNotFound, type StreamHandlers } from "../../src/index.js";
import { NUMBERS } from "../support/recorded-events.js";
import { failure } from "../support/scripted-server.js";
import { clientOf, EXECUTION_ID, OPEN_ENDED, resuming, test } from "./fixtures.js";

/** Handlers that write down what they are called with. */
function recording(more: Partial<StreamHandlers> = {}) {
  const calls: unknown[] = [];
  const handlers: StreamHandlers = {
    onEvent: ({ number }) => calls.push(number),
    onError: (error) => calls.push(error),
    onClose: () => calls.push("closed"),
    ...more,
  };
  return { calls, handlers };
}

test("every event, then the end", async ({ serve }) => {
  const { calls, handlers } = recording();
  const subscription = clientOf(await serve(resuming)).executions.stream(EXECUTION_ID, handlers);
  await subscription.closed;
  expect(calls).toEqual([...NUMBERS, "closed"]);
  expect(subscription.lastEventId).toBe(NUMBERS.length);
});

test("a promise of onEvent is waited for", async ({ serve }) => {
  const order: string[] = [];
  const { handlers } = recording({
    onEvent: async ({ number }) => {
      order.push(`begin ${number}`);
      await new Promise(setImmediate);
      order.push(`end ${number}`);
    },
  });
  await clientOf(await serve(resuming)).executions.stream(EXECUTION_ID, handlers).closed;
  expect(order).toEqual(NUMBERS.flatMap((number) => [`begin ${number}`, `end ${number}`]));
});

describe("an error", () => {
  test("of the server's", async ({ serve }) => {
    const { calls, handlers } = recording();
    const server = await serve(failure(404, "resource_not_found"));
    await clientOf(server).executions.stream(EXECUTION_ID, handlers).closed;
    expect(calls).toEqual([expect.any(ResourceNotFound), "closed"]);
  });

  test("that onEvent throws ends it", async ({ serve }) => {
    const mine = new Error("mine");
    const server = await serve(OPEN_ENDED);
    const { calls, handlers } = recording({
      onEvent: () => {
        throw mine;
      },
    });
    await clientOf(server).executions.stream(EXECUTION_ID, handlers).closed;
    expect(calls).toEqual([mine, "closed"]);
    await server.until(() => server.openConnections === 0);
  });
});

describe("leaving", () => {
  test("with close: no event comes any more", async ({ serve }) => {
    const server = await serve(OPEN_ENDED);
    const { calls, handlers } = recording({
      onEvent: ({ number }) => {
        calls.push(number);
        subscription.close();
      },
    });
    const subscription = clientOf(server).executions.stream(EXECUTION_ID, handlers);
    await subscription.closed;
    expect(calls).toEqual([1, "closed"]);
    await server.until(() => server.openConnections === 0);
  });

  test("with a signal: it is no error", async ({ serve }) => {
    const controller = new AbortController();
    const { calls, handlers } = recording({ signal: controller.signal });
    const server = await serve(OPEN_ENDED);
    const subscription = clientOf(server).executions.stream(EXECUTION_ID, {
      ...handlers,
      onEvent: ({ number }) => {
        if (number === 2) setTimeout(() => controller.abort());
      },
    });
    await subscription.closed;
    expect(calls).toEqual(["closed"]);
    await server.until(() => server.openConnections === 0);
  });
});
