import { describe, expect, test } from "vitest";
import { edgePath } from "../src/graph/edge-path.js";
import { edgeState } from "../src/graph/edge-state.js";
import { type Graph, graphOfDefinition, graphOfNodes, holds } from "../src/graph/graph.js";
import { layoutGraph, layoutNodes, NODE_HEIGHT, NODE_WIDTH } from "../src/graph/layout.js";
import { arrange } from "../src/graph/viewport.js";
import { RunFold } from "../src/run/fold.js";
import type { NodeView } from "../src/run/node-view.js";
import { Log } from "./events.js";

function graph(edges: readonly string[]): Graph {
  const pairs = edges.map((edge) => edge.split(" ") as [string, string]);
  const ids = [...new Set(pairs.flat())];
  return {
    nodes: ids.map((id) => ({ id, name: id, type: "transform" })),
    edges: pairs.map(([source, target], index) => ({
      id: `e${index}`,
      source,
      target,
      handle: null,
    })),
  };
}

function nodesAfter(log: Log): readonly NodeView[] {
  const fold = new RunFold();
  for (const event of log.events) fold.apply(event);
  return fold.order.map((id) => fold.node(id) as NodeView);
}

function expectNoOverlap(positions: ReadonlyMap<string, { x: number; y: number }>): void {
  const all = [...positions.values()];
  for (const [index, a] of all.entries()) {
    for (const b of all.slice(index + 1)) {
      const apart = Math.abs(a.x - b.x) >= NODE_WIDTH || Math.abs(a.y - b.y) >= NODE_HEIGHT;
      expect(apart).toBe(true);
    }
  }
}

describe("a definition", () => {
  test("gives its nodes with their names, and its edges with their handles", () => {
    const found = graphOfDefinition({
      nodes: { a: { type: "conditional", name: "Is it?" }, b: { type: "wait" } },
      edges: [{ source: "a", target: "b", source_handle: "true" }],
    });
    expect(found?.nodes).toEqual([
      { id: "a", name: "Is it?", type: "conditional" },
      { id: "b", name: "b", type: "wait" },
    ]);
    expect(found?.edges).toEqual([{ id: "edge-0", source: "a", target: "b", handle: "true" }]);
  });

  test.each([null, [], "text", {}, { nodes: [] }])("that is none gives none: %j", (definition) => {
    expect(graphOfDefinition(definition)).toBeNull();
  });

  test("of a later version does not hold what ran", () => {
    const [node] = nodesAfter(new Log().started().nodeStarted("a"));
    expect(node !== undefined && holds(graph(["a b"]), node)).toBe(true);
    expect(node !== undefined && holds(graph(["x y"]), node)).toBe(false);
  });
});

describe("the layout of a graph", () => {
  test("leads from left to right along every edge, and no node covers another", () => {
    const found = graph(["a b", "a c", "b d", "c d", "a d", "d e", "x e"]);
    const { positions } = layoutGraph(found);
    for (const { source, target } of found.edges) {
      const [from, to] = [positions.get(source), positions.get(target)];
      expect(from && to && from.x + NODE_WIDTH < to.x).toBe(true);
    }
    expectNoOverlap(positions);
  });

  test("puts a node where it can begin, not where it is waited for", () => {
    const { positions } = layoutGraph(graph(["a b", "b c", "c d", "a x", "x d"]));
    expect(positions.get("x")?.x).toBe(positions.get("b")?.x);
  });

  test("leads a long edge around the nodes between", () => {
    const { bends } = layoutGraph(graph(["a b", "b c", "c d", "a d"]));
    expect([...bends.keys()]).toEqual(["e3"]);
  });

  test("takes its time with 500 nodes, but not for ever", () => {
    const edges: string[] = [];
    for (let index = 10; index < 500; index += 1) {
      edges.push(`n${index - 10} n${index}`, `n${index - (index % 10 === 0 ? 1 : 9)} n${index}`);
    }
    const startedMs = performance.now();
    const { positions } = layoutGraph(graph(edges));
    console.info(`500 nodes are laid out in ${Math.round(performance.now() - startedMs)} ms`);
    expect(positions.size).toBe(500);
  });
});

describe("the layout without edges", () => {
  test("goes right with time, and down for what runs side by side", () => {
    const log = new Log().started().nodeStarted("a").after(10).nodeCompleted("a");
    log.after(1).nodeStarted("b").nodeStarted("c").after(10).nodeCompleted("b").nodeStarted("d");
    const { positions } = layoutNodes(nodesAfter(log));
    const [a, b, c, d] = ["a", "b", "c", "d"].map((id) => positions.get(id));
    expect(a?.x).toBeLessThan(b?.x ?? 0);
    expect(b?.x).toBe(c?.x);
    expect(b?.y).toBeLessThan(c?.y ?? 0);
    expect(c?.x).toBeLessThan(d?.x ?? 0);
    expectNoOverlap(positions);
  });

  test("leaves what is placed where it is as more begins", () => {
    const log = new Log().started().nodeStarted("a").after(5).nodeStarted("b");
    const before = layoutNodes(nodesAfter(log)).positions;
    log.after(5).nodeCompleted("a").nodeStarted("c").nodeCompleted("b");
    const after = layoutNodes(nodesAfter(log)).positions;
    for (const [id, position] of before) expect(after.get(id)).toEqual(position);
  });

  test("has the nodes that have begun", () => {
    const nodes = nodesAfter(new Log().started().nodeStarted("a").nodeSkipped("b"));
    expect(graphOfNodes(nodes).nodes.map(({ id }) => id)).toEqual(["a", "b"]);
  });
});

describe("an edge", () => {
  const [completed, running, skipped, routed] = nodesAfter(
    new Log()
      .started()
      .nodeStarted("a")
      .nodeCompleted("a")
      .nodeStarted("b")
      .nodeSkipped("c")
      .nodeStarted("d")
      .nodeCompleted("d", { handle: "true" }),
  );

  test.each([
    ["idle before its source has begun", undefined, undefined, null, "idle"],
    ["idle while its source runs", running, undefined, null, "idle"],
    ["idle until its target begins", completed, undefined, null, "idle"],
    ["active while its target runs", completed, running, null, "active"],
    ["taken once its target has ended", completed, routed, null, "taken"],
    ["taken by the way that was chosen", routed, completed, "true", "taken"],
    ["closed by another way", routed, completed, "false", "closed"],
    ["closed by a source that was skipped", skipped, undefined, null, "closed"],
  ] as const)("is %s", (_, source, target, handle, expected) => {
    expect(edgeState(source, target, handle)).toBe(expected);
  });

  test("goes through its bends", () => {
    const path = edgePath({ x: 0, y: 0 }, { x: 100, y: 50 }, [{ x: 50, y: 20 }]);
    expect(path).toBe("M0,0C25,0 25,20 50,20C75,20 75,50 100,50");
  });
});

describe("the view", () => {
  const row = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ x: index * 260, y: 0 }));

  test("holds the whole graph, in the middle, if it can be read", () => {
    const { x, zoom } = arrange(row(3), { width: 1_000, height: 400 }, { x: 0, y: 0 });
    expect(zoom).toBe(1);
    expect(x).toBeCloseTo((1_000 - (520 + NODE_WIDTH)) / 2);
  });

  test("else holds the node that matters", () => {
    const focus = { x: 49 * 260, y: 0 };
    const { x, zoom } = arrange(row(50), { width: 1_000, height: 400 }, focus);
    const left = focus.x * zoom + x;
    expect(zoom).toBeGreaterThan(0.5);
    expect(left).toBeGreaterThan(0);
    expect(left + NODE_WIDTH * zoom).toBeLessThanOrEqual(1_000);
  });
});
