import { describe, expect, test } from "vitest";
import type { Connected, StreamEvent } from "../../src/index.js";
import { ExecutionFold, NOTHING_KNOWN } from "../../src/react/execution-state.js";

let number = 0;

function event(type: string, fields: object = {}): StreamEvent {
  number += 1;
  return { type, number, execution_id: "exec_1", timestamp: "", ...fields } as StreamEvent;
}

const node = (type: string, node_id: string, fields: object = {}) =>
  event(type, { node_id, node_name: node_id, node_type: "http", attempt: 1, ...fields });

function fold(...events: StreamEvent[]) {
  const folded = new ExecutionFold();
  for (const each of events) folded.apply(each);
  return folded.snapshot();
}

const connected = (status: string) => ({ type: "connected", status }) as Connected;

test("nothing is known at first", () => {
  expect(fold()).toEqual(NOTHING_KNOWN);
});

describe("status", () => {
  test.each([
    ["pending", "pending"],
    ["running", "running"],
    ["completed", "running"], // its events are still to come
  ])("of a connection that says %s is %s", (said, status) => {
    const folded = new ExecutionFold();
    folded.connect(connected(said));
    expect(folded.snapshot().status).toBe(status);
  });

  test("of events stays at a reconnect", () => {
    const folded = new ExecutionFold();
    folded.apply(event("execution:cancelled", { status: "cancelled", reason: "enough" }));
    folded.connect(connected("running"));
    expect(folded.snapshot()).toMatchObject({ status: "cancelled", reason: "enough" });
  });

  test("completed has outputs", () => {
    const outputs = { text: "hi" };
    expect(fold(event("execution:completed", { status: "completed", outputs }))).toMatchObject({
      status: "completed",
      progress: 100,
      outputs,
    });
  });

  test("failed says why and where", () => {
    const failed = { error: "It failed.", error_code: "timeout", failed_node_id: "a" };
    expect(fold(event("execution:failed", { status: "failed", ...failed }))).toMatchObject({
      status: "failed",
      ...failed,
    });
  });
});

describe("a node", () => {
  const only = (...events: StreamEvent[]) => fold(...events).nodes.get("a");

  test("runs, reports, and completes", () => {
    const started = node("node:started", "a", { started_at: "now" });
    expect(only(started)).toMatchObject({ status: "running", attempt: 1, started_at: "now" });
    const half = event("execution:progress", { progress: 5, current_node: "a", node_progress: 50 });
    expect(only(started, half)).toMatchObject({ progress: 50 });
    const done = node("node:completed", "a", { outputs: { n: 1 }, duration_ms: 7 });
    expect(only(started, half, done)).toMatchObject({
      status: "completed",
      outputs: { n: 1 },
      duration_ms: 7,
    });
  });

  test("fails, is tried again, and fails for good", () => {
    const started = node("node:started", "a");
    const retrying = node("node:retrying", "a", { error: "No.", error_code: "http_status" });
    expect(only(started, retrying)).toMatchObject({ status: "retrying", error: "No." });
    const again = node("node:started", "a", { attempt: 2 });
    expect(only(started, retrying, again)).toMatchObject({
      status: "running",
      attempt: 2,
      error: null,
    });
    const failed = node("node:failed", "a", { error: "Never.", error_code: "x", attempt: 2 });
    expect(only(started, retrying, again, failed)).toMatchObject({
      status: "failed",
      error: "Never.",
    });
  });

  test("is skipped", () => {
    expect(only(node("node:skipped", "a"))).toMatchObject({ status: "skipped", attempt: 0 });
  });

  test("of any name is one", () => {
    expect(fold(node("node:started", "__proto__")).nodes.size).toBe(1);
  });
});

test("an event of a newer server changes nothing but the cursor", () => {
  const { lastEventId, ...rest } = fold(event("node:delta", { node_id: "a" }));
  expect(lastEventId).toBe(number);
  expect(rest).toEqual({ ...NOTHING_KNOWN, lastEventId: undefined });
});

test("a snapshot does not change, and shares the nodes that did not", () => {
  const folded = new ExecutionFold();
  folded.apply(node("node:started", "a"));
  folded.apply(node("node:started", "b"));
  const before = folded.snapshot();
  folded.apply(node("node:completed", "b", { outputs: {} }));
  const after = folded.snapshot();
  expect(before.nodes.get("b")?.status).toBe("running");
  expect(after.nodes.get("b")?.status).toBe("completed");
  expect(after.nodes.get("a")).toBe(before.nodes.get("a"));
});
