/** Where the nodes of a graph lie: from left to right. */

import * as dagre from "@dagrejs/dagre";
import type { NodeView } from "../run/node-view.js";
import type { Graph } from "./graph.js";

export const NODE_WIDTH = 192;
export const NODE_HEIGHT = 60;
const GAP_X = 40;
const GAP_Y = 20;
const LABEL_HEIGHT = 14;
const LETTER_WIDTH = 6;
const MAX_POINTS_OF_SHORT_EDGE = 3;

type DagreGraph = InstanceType<typeof dagre.graphlib.Graph>;

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
    ranker: rankEarliest,
  });
  for (const { id } of nodes) graph.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const { id, source, target, handle } of edges) {
    const label =
      handle === null ? {} : { width: handle.length * LETTER_WIDTH, height: LABEL_HEIGHT };
    graph.setEdge(source, target, label, id);
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

/** Ranks each node where it can begin, rather than where it is waited for. */
function rankEarliest(graph: DagreGraph): void {
  const rankOf = (id: string): number => {
    const node = graph.node(id) as { rank?: number };
    if (node.rank === undefined) {
      node.rank = 0; // what a cycle, which no workflow has, comes back to
      for (const edge of graph.inEdges(id) ?? []) {
        const { minlen } = graph.edge(edge) as { minlen: number };
        node.rank = Math.max(node.rank, rankOf(edge.v) + minlen);
      }
    }
    return node.rank;
  };
  for (const id of graph.nodes()) rankOf(id);
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
