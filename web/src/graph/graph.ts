/** The graph that is shown: from the workflow's definition, or from what the events say. */

import type { NodeView } from "../run/node-view.js";

export interface GraphNode {
  readonly id: string;
  readonly name: string;
  readonly type: string;
}

export interface GraphEdge {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  /** The way out of a routing node that leads along it. */
  readonly handle: string | null;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

type Fields = Readonly<Record<string, unknown>>;

/** Returns the graph of a workflow's definition; `null` for what is none. */
export function graphOfDefinition(definition: unknown): Graph | null {
  if (!isFields(definition) || !isFields(definition.nodes)) return null;
  const nodes = Object.entries(definition.nodes).map(([id, node]) => {
    const { name, type } = isFields(node) ? node : {};
    return { id, name: text(name) ?? id, type: text(type) ?? "" };
  });
  const ids = new Set(nodes.map(({ id }) => id));
  const edges = (Array.isArray(definition.edges) ? definition.edges : [])
    .filter(isFields)
    .map(({ source, target, source_handle }, index) => ({
      id: `edge-${index}`,
      source: String(source),
      target: String(target),
      handle: text(source_handle),
    }))
    .filter(({ source, target }) => ids.has(source) && ids.has(target));
  return { nodes, edges };
}

/** Whether `node`, which has begun, is in `graph`: a newer definition may not have it. */
export function holds(graph: Graph, node: NodeView): boolean {
  return graph.nodes.some(({ id, type }) => id === node.id && type === node.type);
}

/** Returns the graph of the nodes that have begun, without edges: no event tells them. */
export function graphOfNodes(nodes: readonly NodeView[]): Graph {
  return { nodes: nodes.map(({ id, name, type }) => ({ id, name, type })), edges: [] };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
