/** What is known of an execution after some of its events: a fold, without I/O. */

import type { Connected, Status, StreamEvent } from "../events/models.js";
import type { JsonObject } from "../models.js";

/** How a node stands. */
export type NodeStatus = "running" | "retrying" | "completed" | "failed" | "skipped";

/** What is known of one node, by the names of its events' fields. */
export interface NodeState {
  /** Inside a loop `LOOP[INDEX].NODE`, in a called workflow `NODE.CHILD`. */
  readonly node_id: string;
  readonly node_name: string;
  readonly node_type: string;
  readonly status: NodeStatus;
  /** The attempt that runs or ran last, from 1; 0 for a skipped node. */
  readonly attempt: number;
  /** 0 to 100, if the node reports it. */
  readonly progress: number | null;
  readonly outputs: JsonObject | null;
  /** Why it failed, or why its last attempt did. */
  readonly error: string | null;
  readonly error_code: string | null;
  readonly started_at: string | null;
  readonly duration_ms: number | null;
}

/** What is known of an execution. */
export interface ExecutionState {
  /** `null` until the server has said it. */
  readonly status: Status | null;
  /** 0 to 100; it never falls. */
  readonly progress: number;
  /** The nodes that have begun, by id, in the order in which they did. */
  readonly nodes: ReadonlyMap<string, NodeState>;
  /** `null` until the execution has completed. */
  readonly outputs: JsonObject | null;
  /** Why the execution failed: a sentence. */
  readonly error: string | null;
  readonly error_code: string | null;
  readonly failed_node_id: string | null;
  /** Why it was cancelled. */
  readonly reason: string | null;
  /** The number of the last event that is in here. */
  readonly lastEventId: number;
}

export const NOTHING_KNOWN: ExecutionState = {
  status: null,
  progress: 0,
  nodes: new Map(),
  outputs: null,
  error: null,
  error_code: null,
  failed_node_id: null,
  reason: null,
  lastEventId: 0,
};

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/**
 * Folds events one by one. A snapshot costs as much as there are nodes, an event does not: so take
 * one for many events.
 */
export class ExecutionFold {
  readonly #known: Mutable<Omit<ExecutionState, "nodes">>;
  readonly #nodes = new Map<string, NodeState>();

  constructor() {
    const { nodes: _, ...known } = NOTHING_KNOWN;
    this.#known = known;
  }

  get lastEventId(): number {
    return this.#known.lastEventId;
  }

  /** Returns what is known now; it does not change any more. */
  snapshot(): ExecutionState {
    return { ...this.#known, nodes: new Map(this.#nodes) };
  }

  /** Takes what a connection begins with: the status of an execution that has no event yet. */
  connect({ status }: Connected): void {
    // The status of later events is still to come, with those events.
    if (this.#known.status === null) {
      this.#known.status = status === "pending" ? "pending" : "running";
    }
  }

  apply(event: StreamEvent): void {
    const known = this.#known;
    known.lastEventId = event.number;
    switch (event.type) {
      case "execution:started":
        known.status = "running";
        break;
      case "execution:progress":
        known.progress = event.progress;
        if (event.current_node !== null && event.node_progress != null) {
          this.#change(event.current_node, { progress: event.node_progress });
        }
        break;
      case "execution:completed":
        known.status = event.status;
        known.progress = 100;
        known.outputs = event.outputs;
        break;
      case "execution:failed":
        known.status = event.status;
        known.error = event.error;
        known.error_code = event.error_code;
        known.failed_node_id = event.failed_node_id;
        break;
      case "execution:cancelled":
        known.status = event.status;
        known.reason = event.reason;
        break;
      case "node:started": {
        const { node_id, node_name, node_type, attempt, started_at } = event;
        const node = { node_id, node_name, node_type, attempt, started_at };
        this.#nodes.set(node_id, { ...NEW_NODE, ...node });
        break;
      }
      case "node:completed": {
        const { node_id, outputs, attempt, duration_ms } = event;
        const done = { status: "completed", outputs, attempt, duration_ms } as const;
        this.#change(node_id, { ...done, error: null, error_code: null });
        break;
      }
      case "node:failed": {
        const { node_id, error, error_code, attempt, duration_ms } = event;
        this.#change(node_id, { status: "failed", error, error_code, attempt, duration_ms });
        break;
      }
      case "node:retrying":
        this.#change(event.node_id, {
          status: "retrying",
          error: event.error,
          error_code: event.error_code,
        });
        break;
      case "node:skipped": {
        const { node_id, node_name, node_type } = event;
        const node = { node_id, node_name, node_type };
        this.#nodes.set(node_id, { ...NEW_NODE, ...node, status: "skipped", attempt: 0 });
        break;
      }
    }
  }

  #change(nodeId: string, change: Partial<NodeState>): void {
    const node = this.#nodes.get(nodeId);
    if (node !== undefined) this.#nodes.set(nodeId, { ...node, ...change });
  }
}

const NEW_NODE: NodeState = {
  node_id: "",
  node_name: "",
  node_type: "",
  status: "running",
  attempt: 1,
  progress: null,
  outputs: null,
  error: null,
  error_code: null,
  started_at: null,
  duration_ms: null,
};
