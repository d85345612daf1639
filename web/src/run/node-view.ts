/** How one node of an execution is shown. */

import type { StreamEvent } from "@flowmaestro/sdk";

export type NodeStatus =
  | "pending"
  | "running"
  | "retrying"
  | "completed"
  | "failed"
  | "skipped"
  /** It ran when the execution ended: its own end is not in the log. */
  | "stopped";

/** One attempt of a node. Times are milliseconds since 1970, by the server's clock. */
export interface Attempt {
  readonly number: number;
  readonly startedMs: number;
  /** `null` while it runs. */
  readonly endedMs: number | null;
  readonly outcome: "running" | "completed" | "failed" | "interrupted" | "stopped";
}

/** How many of the nodes inside a container stand how. */
export type InnerCounts = Readonly<Record<NodeStatus, number>>;

/** It never changes: a node that does is another object. */
export interface NodeView {
  /** Inside a loop `LOOP[INDEX].NODE`, in a called workflow `NODE.CHILD`. */
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** The container it is in; `null` for a node of the workflow itself. */
  readonly parent: string | null;
  /** How many containers it is in. */
  readonly depth: number;
  readonly status: NodeStatus;
  readonly attempts: readonly Attempt[];
  /** 0 to 100, if it reports that. */
  readonly progress: number | null;
  readonly outputs: Readonly<Record<string, unknown>> | null;
  /** Why it failed, or why its last attempt did. */
  readonly error: string | null;
  readonly errorCode: string | null;
  /** When the next attempt begins, while it waits for it. */
  readonly retryAtMs: number | null;
  /** The way that a routing node chose. */
  readonly handle: string | null;
  /** How many runs of its body a container has; `null` until that is known. */
  readonly scopes: number | null;
  /** The nodes inside a container, on every level; `null` for those that hold none. */
  readonly inner: InnerCounts | null;
}

export const NO_COUNTS: InnerCounts = {
  pending: 0,
  running: 0,
  retrying: 0,
  completed: 0,
  failed: 0,
  skipped: 0,
  stopped: 0,
};

/** Returns a node of which only its name is known. */
export function newNode(
  id: string,
  name: string,
  type: string,
  parent: NodeView | undefined,
): NodeView {
  return {
    id,
    name,
    type,
    parent: parent?.id ?? null,
    depth: parent === undefined ? 0 : parent.depth + 1,
    status: "pending",
    attempts: [],
    progress: null,
    outputs: null,
    error: null,
    errorCode: null,
    retryAtMs: null,
    handle: null,
    scopes: null,
    inner: null,
  };
}

/** Returns the attempts with the last one ended. */
export function endAttempt(
  attempts: readonly Attempt[],
  endedMs: number,
  outcome: Attempt["outcome"],
): readonly Attempt[] {
  const last = attempts.at(-1);
  if (last === undefined || last.endedMs !== null) return attempts;
  return [...attempts.slice(0, -1), { ...last, endedMs, outcome }];
}

/** How long a node has taken over all its attempts, the waits in between included. */
export function elapsedMs(node: NodeView, nowMs: number): number | null {
  const first = node.attempts[0];
  if (first === undefined) return null;
  const end = node.status === "retrying" ? null : node.attempts.at(-1)?.endedMs;
  return Math.max(0, (end ?? nowMs) - first.startedMs);
}

/** Returns the node that `event` is about, if it is about one. */
export function nodeOf(event: StreamEvent): string | null {
  const { node_id } = event as { node_id?: unknown };
  return typeof node_id === "string" ? node_id : null;
}
