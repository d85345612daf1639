/** What is shown of an execution after some of its events: a fold, without I/O. */

import { isTerminal, type Status, type StreamEvent } from "@flowmaestro/sdk";
import { type Attempt, endAttempt, NO_COUNTS, type NodeView, newNode } from "./node-view.js";

/** How the execution as a whole stands; it never changes, a later one is another object. */
export interface RunSummary {
  /** `null` until an event has said it. */
  readonly status: Status | null;
  readonly workflowId: string | null;
  readonly workflowName: string | null;
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  /** 0 to 100. */
  readonly progress: number;
  readonly completedNodes: number;
  /** How many nodes the workflow itself has. */
  readonly ownNodes: number | null;
  /** Those inside of containers too, once they are known. */
  readonly totalNodes: number | null;
  readonly outputs: Readonly<Record<string, unknown>> | null;
  readonly error: string | null;
  readonly errorCode: string | null;
  readonly failedNodeId: string | null;
  /** Why it was cancelled. */
  readonly reason: string | null;
  /** When the last event was written. */
  readonly atMs: number | null;
}

const NOTHING_KNOWN: RunSummary = {
  status: null,
  workflowId: null,
  workflowName: null,
  startedMs: null,
  endedMs: null,
  progress: 0,
  completedNodes: 0,
  ownNodes: null,
  totalNodes: null,
  outputs: null,
  error: null,
  errorCode: null,
  failedNodeId: null,
  reason: null,
  atMs: null,
};

/**
 * Folds events one by one, in time that does not depend on how many there were. What it returns
 * does not change any more, except `order`, which only grows.
 */
export class RunFold {
  /** How many events are in here. */
  applied = 0;
  summary: RunSummary = NOTHING_KNOWN;
  /** The nodes that have begun or were skipped, in that order. */
  readonly order: string[] = [];
  readonly #nodes = new Map<string, NodeView>();

  node(id: string): NodeView | undefined {
    return this.#nodes.get(id);
  }

  apply(event: StreamEvent): void {
    this.applied += 1;
    const atMs = Date.parse(event.timestamp);
    this.#know({ atMs });
    switch (event.type) {
      case "execution:started":
        this.#know({
          status: "running",
          workflowId: event.workflow_id,
          workflowName: event.workflow_name,
          startedMs: Date.parse(event.started_at),
          ownNodes: event.total_nodes,
          totalNodes: event.total_nodes,
        });
        break;
      case "execution:progress":
        this.#know({
          progress: event.progress,
          completedNodes: event.completed_nodes,
          totalNodes: event.total_nodes,
        });
        if (event.current_node !== null && event.node_progress != null) {
          this.#change(event.current_node, { progress: event.node_progress });
        }
        break;
      case "execution:completed":
        this.#know({ status: "completed", progress: 100, outputs: event.outputs });
        break;
      case "execution:failed":
        this.#know({
          status: "failed",
          error: event.error,
          errorCode: event.error_code,
          failedNodeId: event.failed_node_id,
        });
        break;
      case "execution:cancelled":
        this.#know({ status: "cancelled", reason: event.reason });
        break;
      case "node:started": {
        const node = this.#meet(event.node_id, event.node_name, event.node_type);
        const startedMs = Date.parse(event.started_at);
        const before = endAttempt(node.attempts, startedMs, "interrupted");
        const attempt: Attempt = {
          number: event.attempt,
          startedMs,
          endedMs: null,
          outcome: "running",
        };
        this.#put({
          ...node,
          status: "running",
          attempts: [...before, attempt],
          progress: null,
          retryAtMs: null,
        });
        break;
      }
      case "node:completed": {
        const node = this.#meet(event.node_id, event.node_name, event.node_type);
        this.#put({
          ...node,
          status: "completed",
          attempts: endAttempt(node.attempts, Date.parse(event.completed_at), "completed"),
          outputs: event.outputs,
          error: null,
          errorCode: null,
          handle: event.handle ?? null,
        });
        break;
      }
      case "node:failed": {
        const node = this.#meet(event.node_id, event.node_name, event.node_type);
        this.#put({
          ...node,
          status: "failed",
          attempts: endAttempt(node.attempts, atMs, "failed"),
          error: event.error,
          errorCode: event.error_code,
          retryAtMs: null,
        });
        break;
      }
      case "node:retrying": {
        const node = this.#nodes.get(event.node_id);
        if (node === undefined) break;
        const outcome = event.interrupted === true ? "interrupted" : "failed";
        this.#put({
          ...node,
          status: "retrying",
          attempts: endAttempt(node.attempts, atMs, outcome),
          error: event.error,
          errorCode: event.error_code,
          retryAtMs: atMs + event.delay_ms,
        });
        break;
      }
      case "node:skipped": {
        const node = this.#meet(event.node_id, event.node_name, event.node_type);
        this.#put({ ...node, status: "skipped" });
        break;
      }
      case "node:expanded":
        this.#change(event.node_id, { scopes: event.scopes.length });
        break;
    }
    if (isTerminal(event)) this.#end(event.duration_ms, atMs);
  }

  #know(facts: Partial<RunSummary>): void {
    this.summary = { ...this.summary, ...facts };
  }

  #end(durationMs: number, atMs: number): void {
    this.#know({ endedMs: atMs, startedMs: this.summary.startedMs ?? atMs - durationMs });
    for (const node of [...this.#nodes.values()]) {
      if (node.status !== "running" && node.status !== "retrying") continue;
      const attempts = endAttempt(node.attempts, atMs, "stopped");
      this.#put({ ...node, status: "stopped", attempts, retryAtMs: null });
    }
  }

  /** Returns a node, which is a new one if none of its events was there before. */
  #meet(id: string, name: string, type: string): NodeView {
    const known = this.#nodes.get(id);
    if (known !== undefined) return known;
    const node = newNode(id, name, type, this.#containerOf(id));
    this.order.push(id);
    this.#nodes.set(id, node);
    this.#count(node, "pending", 1);
    return node;
  }

  #change(id: string, change: Partial<NodeView>): void {
    const node = this.#nodes.get(id);
    if (node !== undefined) this.#put({ ...node, ...change });
  }

  #put(node: NodeView): void {
    const before = this.#nodes.get(node.id);
    this.#nodes.set(node.id, node);
    if (before === undefined || before.status === node.status) return;
    this.#count(node, before.status, -1);
    this.#count(node, node.status, 1);
  }

  /** Counts `node` in every container it is in. */
  #count(node: NodeView, status: NodeView["status"], by: 1 | -1): void {
    for (let id = node.parent; id !== null; ) {
      const container = this.#nodes.get(id);
      if (container === undefined) return;
      const counts = container.inner ?? NO_COUNTS;
      const inner = { ...counts, [status]: counts[status] + by };
      this.#nodes.set(id, { ...container, inner });
      id = container.parent;
    }
  }

  /**
   * Returns the innermost container that the path `id` leads through. An id may hold dots and
   * brackets of its own; but a container has begun before what is inside it.
   */
  #containerOf(id: string): NodeView | undefined {
    for (let end = id.length - 1; end > 0; end -= 1) {
      const isBoundary = id[end] === "." || id[end] === "[";
      const found = isBoundary ? this.#nodes.get(id.slice(0, end)) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
