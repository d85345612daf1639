import { describe, expect, test } from "vitest";
import { RunFold } from "../src/run/fold.js";
import { elapsedMs } from "../src/run/node-view.js";
import { Log, STARTED_MS } from "./events.js";

function foldOf(log: Log): RunFold {
  const fold = new RunFold();
  for (const event of log.events) fold.apply(event);
  return fold;
}

describe("a node", () => {
  test("that was retried keeps each attempt with its times", () => {
    const log = new Log().started().nodeStarted("a").after(50).nodeRetrying("a");
    const waiting = foldOf(log).node("a");
    expect(waiting).toMatchObject({
      status: "retrying",
      error: "503",
      retryAtMs: STARTED_MS + 1_050,
    });
    log.after(1_000).nodeStarted("a", { attempt: 2 }).after(20).nodeCompleted("a", { attempt: 2 });
    const node = foldOf(log).node("a");
    expect(node).toMatchObject({ status: "completed", error: null, retryAtMs: null });
    expect(node?.attempts).toEqual([
      { number: 1, startedMs: STARTED_MS, endedMs: STARTED_MS + 50, outcome: "failed" },
      {
        number: 2,
        startedMs: STARTED_MS + 1_050,
        endedMs: STARTED_MS + 1_070,
        outcome: "completed",
      },
    ]);
  });

  test("whose server stopped has an interrupted attempt, not a failed one", () => {
    const log = new Log()
      .started()
      .nodeStarted("a")
      .after(5)
      .nodeRetrying("a", { interrupted: true });
    expect(foldOf(log).node("a")?.attempts[0]?.outcome).toBe("interrupted");
  });

  test("takes as long as all its attempts and the waits between them", () => {
    const log = new Log().started().nodeStarted("a").after(50).nodeRetrying("a");
    const waiting = foldOf(log).node("a");
    expect(waiting && elapsedMs(waiting, STARTED_MS + 400)).toBe(400);
    log.after(500).nodeStarted("a", { attempt: 2 }).after(50).nodeCompleted("a");
    const ended = foldOf(log).node("a");
    expect(ended && elapsedMs(ended, STARTED_MS + 9_999)).toBe(600);
  });

  test("that failed says why, and one that was skipped has no attempt", () => {
    const fold = foldOf(new Log().started().nodeStarted("a").nodeFailed("a").nodeSkipped("b"));
    expect(fold.node("a")).toMatchObject({ status: "failed", errorCode: "node_error" });
    expect(fold.node("b")).toMatchObject({ status: "skipped", attempts: [] });
    expect(fold.order).toEqual(["a", "b"]);
  });

  test("that ran as the execution ended is stopped then", () => {
    const log = new Log().started().nodeStarted("a").after(30).nodeStarted("b").nodeFailed("b");
    const fold = foldOf(log.failed("b"));
    expect(fold.node("a")).toMatchObject({ status: "stopped" });
    expect(fold.node("a")?.attempts[0]?.endedMs).toBe(STARTED_MS + 30);
    expect(fold.summary).toMatchObject({ status: "failed", failedNodeId: "b", error: "it broke" });
  });

  test("whose beginning is no longer kept is there all the same", () => {
    const fold = foldOf(new Log().nodeCompleted("a"));
    expect(fold.node("a")).toMatchObject({ status: "completed", attempts: [] });
  });

  test("is another object exactly when it has changed", () => {
    const log = new Log().started().nodeStarted("a").nodeStarted("b");
    const fold = foldOf(log);
    const [a, b] = [fold.node("a"), fold.node("b")];
    fold.apply(new Log().nodeCompleted("b").events[0] as (typeof log.events)[0]);
    expect(fold.node("a")).toBe(a);
    expect(fold.node("b")).not.toBe(b);
  });
});

describe("a container", () => {
  const log = new Log()
    .started()
    .nodeStarted("each", { type: "loop" })
    .add("node:expanded", { node_id: "each", scopes: [{ index: 0 }, { index: 1 }] })
    .nodeStarted("each[0].a")
    .nodeStarted("each[1].call", { type: "workflow" })
    .nodeStarted("each[1].call.b.c")
    .nodeCompleted("each[0].a");

  test("counts the nodes inside of it, on every level", () => {
    const fold = foldOf(log);
    expect(fold.node("each")).toMatchObject({ scopes: 2, depth: 0 });
    expect(fold.node("each")?.inner).toMatchObject({ running: 2, completed: 1 });
    expect(fold.node("each[1].call")?.inner).toMatchObject({ running: 1, completed: 0 });
    expect(fold.node("each[1].call.b.c")).toMatchObject({ parent: "each[1].call", depth: 2 });
  });

  test("is no other node whose id begins alike", () => {
    const fold = foldOf(new Log().started().nodeStarted("a").nodeStarted("ab").nodeStarted("x.y"));
    expect(fold.node("ab")).toMatchObject({ parent: null });
    expect(fold.node("x.y")).toMatchObject({ parent: null });
  });
});

test("the summary follows the execution", () => {
  const log = new Log().started(2).add("execution:progress", {
    progress: 50,
    current_node: "a",
    completed_nodes: 1,
    total_nodes: 4,
  });
  expect(foldOf(log).summary).toMatchObject({
    status: "running",
    progress: 50,
    completedNodes: 1,
    ownNodes: 2,
    totalNodes: 4,
    endedMs: null,
  });
  expect(foldOf(log.after(70).completed()).summary).toMatchObject({
    status: "completed",
    progress: 100,
    outputs: { sum: 3 },
    endedMs: STARTED_MS + 70,
  });
});

test("types of a newer server change nothing", () => {
  const fold = foldOf(new Log().started().add("node:delta", { node_id: "a", text: "x" }));
  expect(fold.applied).toBe(2);
  expect(fold.order).toEqual([]);
});
