/** Where the nodes of a graph lie: from left to right. */

import * as dagre from "@dagrejs/dagre";
import type { NodeView } from "../run/node-view.js";
import type { Graph } from "./graph.js";

export const NODE_WIDTH = 196;
export const NODE_HEIGHT = 60;
const GAP_X = 48;
const GAP_Y = 20;
const LABEL_HEIGHT = 14;
const LETTER_WIDTH = 6;
/** The best ranking takes a time that grows with the square of the graph. */
const MAX_NODES_RANKED_BEST = 150;
const MAX_POINTS_OF_SHORT_EDGE = 3;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  /** The upper left corner of each node, by id. */
  readonly positions: ReadonlyMap<string, Point>;
  /** What a long edge leads through on its way around other nodes, by id. */
  readonly bends: ReadonlyMap<string, readonly Point[]>;
}

/** Lays a graph out in layers along its edges. */
export function layoutGraph({ nodes, edges }: Graph): Layout {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({
    rankdir: "LR",
    ranksep: GAP_X,
    nodesep: GAP_Y,
    edgesep: 12,
    ranker: nodes.length > MAX_NODES_RANKED_BEST ? "longest-path" : "network-simplex",
  });
  for (const { id } of nodes) graph.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  const depths = depthsOf(nodes, edges);
  for (const { id, source, target, handle } of edges) {
    // The earlier an edge the shorter, so that a node lies where it begins rather than where it is
    // waited for.
    const weight = 1 + nodes.length - (depths.get(source) ?? 0);
    const label =
      handle === null ? {} : { width: handle.length * LETTER_WIDTH, height: LABEL_HEIGHT };
    graph.setEdge(source, target, { weight, ...label }, id);
  }
  dagre.layout(graph);
  const positions = new Map<string, Point>();
  for (const { id } of nodes) {
    const { x, y } = graph.node(id) as Point;
    positions.set(id, { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 });
  }
  const bends = new Map<string, readonly Point[]>();
  for (const { id, source, target } of edges) {
    const { points } = graph.edge(source, target, id) as { points: readonly Point[] };
    // Of a short edge it is only the middle.
    if (points.length > MAX_POINTS_OF_SHORT_EDGE) bends.set(id, points.slice(1, -1));
  }
  return { positions, bends };
}

/** Returns the length of the longest way to each node; of a cycle, which no workflow has, some. */
function depthsOf(nodes: Graph["nodes"], edges: Graph["edges"]): ReadonlyMap<string, number> {
  const depths = new Map<string, number>();
  const waitsFor = new Map<string, number>();
  const next = new Map<string, string[]>();
  for (const { source, target } of edges) {
    waitsFor.set(target, (waitsFor.get(target) ?? 0) + 1);
    next.set(source, [...(next.get(source) ?? []), target]);
  }
  const ready = nodes.map(({ id }) => id).filter((id) => !waitsFor.has(id));
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    const depth = depths.get(id) ?? 0;
    depths.set(id, depth);
    for (const target of next.get(id) ?? []) {
      depths.set(target, Math.max(depths.get(target) ?? 0, depth + 1));
      const left = (waitsFor.get(target) ?? 1) - 1;
      waitsFor.set(target, left);
      if (left === 0) ready.push(target);
    }
  }
  return depths;
}

/**
 * Lays nodes out whose edges are not known: a node stands to the right of those that had ended when
 * it began, below those that it ran beside.
 *
 * @param nodes - in the order in which they began.
 */
export function layoutNodes(nodes: readonly NodeView[]): Layout {
  const placed: { node: NodeView; column: number }[] = [];
  const heights: number[] = [];
  const positions = new Map<string, Point>();
  for (const node of nodes) {
    const startedMs = node.attempts[0]?.startedMs;
    let column = 0;
    for (const { node: other, column: before } of placed) {
      const endedMs = other.status === "running" ? null : other.attempts.at(-1)?.endedMs;
      const isBefore = startedMs === undefined || (endedMs != null && endedMs <= startedMs);
      if (isBefore) column = Math.max(column, before + 1);
    }
    const row = heights[column] ?? 0;
    heights[column] = row + 1;
    placed.push({ node, column });
    positions.set(node.id, {
      x: column * (NODE_WIDTH + GAP_X),
      y: row * (NODE_HEIGHT + GAP_Y),
    });
  }
  return { positions, bends: new Map() };
}
