import { describe, expect, test } from "vitest";
import type { Answer } from "../../src/answers.js";
import { APIError, ConnectionFailed, RequestTimeout } from "../../src/errors.js";
import { type RetryReply, sendWithRetries } from "../../src/requests/retries.js";

const OPTIONS = {
  backoff: { baseMs: 500, maxMs: 30_000 },
  maxRetries: 3,
  maxRetryAfterMs: 120_000,
};

function answer(status: number, headers: Record<string, string> = {}): Answer {
  return { status, header: (name) => headers[name], body: "" };
}

/** Returns how often it was sent, how long it waited before each repeat, and how it ended. */
function send(reply: RetryReply | RetryReply[], repeatable: boolean) {
  const replies = Array.isArray(reply) ? reply : Array<RetryReply>(10).fill(reply);
  const steps = sendWithRetries(
    OPTIONS,
    repeatable,
    () => 0.5,
    () => 0,
  );
  const waitsMs: number[] = [];
  let sent = 0;
  let next: RetryReply;
  try {
    while (true) {
      const step = steps.next(next);
      if (step.done) return { sent, waitsMs, status: step.value.status };
      next = step.value === "send" ? replies[sent++] : undefined;
      if (step.value !== "send") waitsMs.push(step.value);
    }
  } catch (error) {
    return { sent, waitsMs, error };
  }
}

const REFUSED = new ConnectionFailed("refused", false);
const BROKEN = new ConnectionFailed("broke", true);
const LATE = new RequestTimeout("late");

describe("how often a request is sent", () => {
  test.each([
    ["an answer", answer(200), 1, 1],
    ["a request that never left", REFUSED, 4, 4],
    ["a connection that broke", BROKEN, 4, 1],
    ["no answer in time", LATE, 4, 1],
    ["429", answer(429), 4, 4],
    ["502", answer(502), 4, 1],
    ["503", answer(503), 4, 1],
    ["504", answer(504), 4, 1],
    ["500", answer(500), 1, 1],
    ["404", answer(404), 1, 1],
    ["a redirect", answer(302), 1, 1],
  ])("after %s", (_, reply, ifRepeatable, otherwise) => {
    expect(send(reply, true).sent).toBe(ifRepeatable);
    expect(send(reply, false).sent).toBe(otherwise);
  });
});

test("a repeat that succeeds is the answer", () => {
  expect(send([BROKEN, answer(503), answer(201)], true)).toEqual({
    sent: 3,
    waitsMs: [375, 750],
    status: 201,
  });
});

test("the last error is thrown", () => {
  expect(send([BROKEN, BROKEN, BROKEN, LATE], true).error).toBe(LATE);
});

test("Retry-After is waited for in addition", () => {
  expect(send([answer(429, { "retry-after": "2" }), answer(200)], false).waitsMs).toEqual([2375]);
});

test("a Retry-After that is too long is not waited for", () => {
  const { sent, error } = send(answer(429, { "retry-after": "121" }), true);
  expect(sent).toBe(1);
  expect(error).toBeInstanceOf(APIError);
  expect(error).toHaveProperty("retryAfterMs", 121_000);
});
