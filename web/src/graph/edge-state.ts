import type { NodeView } from "../run/node-view.js";

/** How an edge is drawn: `taken` led on, `active` leads to a node that runs, `closed` never will. */
export type EdgeState = "idle" | "taken" | "active" | "closed";

export function edgeState(
  source: NodeView | undefined,
  target: NodeView | undefined,
  handle: string | null,
): EdgeState {
  if (source === undefined || source.status === "pending") return "idle";
  if (source.status === "skipped") return "closed";
  const hasEnded = source.status === "completed" || source.status === "failed";
  if (!hasEnded) return "idle";
  if (handle !== null && source.handle !== handle) return "closed";
  if (target?.status === "running" || target?.status === "retrying") return "active";
  if (target === undefined || target.status === "skipped") {
    return source.status === "failed" ? "idle" : target === undefined ? "idle" : "closed";
  }
  return "taken";
}
