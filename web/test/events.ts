/** Events for tests, numbered and timed as they are made. */

import type { StreamEvent } from "@flowmaestro/sdk";

export const STARTED_MS = Date.parse("2025-03-01T12:00:00.000Z");

type Fields = Readonly<Record<string, unknown>>;

/** Makes the events of one execution: each call adds the next. */
export class Log {
  readonly events: StreamEvent[] = [];
  #atMs = STARTED_MS;

  /** Lets time pass before the next event. */
  after(ms: number): this {
    this.#atMs += ms;
    return this;
  }

  add(type: string, fields: Fields = {}): this {
    const timestamp = this.#now();
    const base = { type, execution_id: "exec_1", timestamp, number: this.events.length + 1 };
    this.events.push({ ...base, ...fields } as unknown as StreamEvent);
    return this;
  }

  started(totalNodes = 3): this {
    return this.add("execution:started", {
      workflow_id: "wf_1",
      workflow_name: "Test",
      started_at: this.#now(),
      total_nodes: totalNodes,
    });
  }

  nodeStarted(id: string, { attempt = 1, type = "transform" } = {}): this {
    const fields = { node_id: id, node_name: id, node_type: type, attempt };
    return this.add("node:started", { ...fields, started_at: this.#now() });
  }

  nodeCompleted(id: string, fields: Fields = {}): this {
    return this.add("node:completed", {
      node_id: id,
      node_name: id,
      node_type: "transform",
      attempt: 1,
      outputs: { value: 1 },
      duration_ms: 0,
      completed_at: this.#now(),
      ...fields,
    });
  }

  nodeFailed(id: string, error = "it broke"): this {
    const fields = { node_id: id, node_name: id, node_type: "transform", attempt: 1 };
    return this.add("node:failed", { ...fields, error, error_code: "node_error", duration_ms: 1 });
  }

  nodeRetrying(id: string, fields: Fields = {}): this {
    const retry = { node_id: id, next_attempt: 2, delay_ms: 1_000 };
    return this.add("node:retrying", {
      ...retry,
      error: "503",
      error_code: "http_status",
      ...fields,
    });
  }

  nodeSkipped(id: string): this {
    return this.add("node:skipped", { node_id: id, node_name: id, node_type: "transform" });
  }

  completed(): this {
    const times = { started_at: this.#now(), completed_at: this.#now(), duration_ms: 1 };
    return this.add("execution:completed", { status: "completed", outputs: { sum: 3 }, ...times });
  }

  failed(nodeId: string | null): this {
    return this.add("execution:failed", {
      status: "failed",
      error: "it broke",
      error_code: "node_error",
      failed_node_id: nodeId,
      completed_at: this.#now(),
      duration_ms: 1,
    });
  }

  #now(): string {
    return new Date(this.#atMs).toISOString();
  }
}
