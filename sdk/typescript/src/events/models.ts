/**
 * The events of an execution, as the server writes them: field names are the wire's.
 *
 * Times are ISO 8601 in UTC, durations and delays whole milliseconds.
 */

/** Where an execution stands. The last three are final. */
export type Status = "pending" | "running" | "completed" | "failed" | "cancelled";

export type LogLevel = "debug" | "info" | "warning" | "error";

/** What every event carries. */
export interface EventBase {
  readonly execution_id: string;
  readonly timestamp: string;
  /**
   * The event's place in its log, from 1: the cursor to go on from after it.
   *
   * The SDK takes it from the frame; it is not part of the event's data on the wire.
   */
  readonly number: number;
}

export interface ExecutionStarted extends EventBase {
  readonly type: "execution:started";
  readonly workflow_id: string;
  readonly workflow_name: string;
  readonly started_at: string;
  /** The workflow's own nodes; those inside loops and called workflows count once they are known. */
  readonly total_nodes: number;
}

export interface ExecutionProgress extends EventBase {
  readonly type: "execution:progress";
  /** 0 to 100; it never falls. */
  readonly progress: number;
  /** The node that started last, or that reports; `null` before the first. */
  readonly current_node: string | null;
  readonly completed_nodes: number;
  readonly total_nodes: number;
  /** How far `current_node` says it is, 0 to 100. */
  readonly node_progress?: number | null;
}

export interface NodeStarted extends EventBase {
  readonly type: "node:started";
  /** Inside a loop `LOOP[INDEX].NODE`, in a called workflow `NODE.CHILD`. */
  readonly node_id: string;
  readonly node_name: string;
  readonly node_type: string;
  /** From 1. */
  readonly attempt: number;
  readonly started_at: string;
}

export interface NodeCompleted extends EventBase {
  readonly type: "node:completed";
  readonly node_id: string;
  readonly node_name: string;
  readonly node_type: string;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly attempt: number;
  readonly duration_ms: number;
  readonly completed_at: string;
  /** The way that a routing node chose. */
  readonly handle?: string | null;
}

/** Once, when the node has failed for good. */
export interface NodeFailed extends EventBase {
  readonly type: "node:failed";
  readonly node_id: string;
  readonly node_name: string;
  readonly node_type: string;
  /** A sentence. */
  readonly error: string;
  readonly error_code: string;
  readonly attempt: number;
  readonly duration_ms: number;
}

export interface ExecutionCompleted extends EventBase {
  readonly type: "execution:completed";
  readonly status: "completed";
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly started_at: string;
  readonly completed_at: string;
  readonly duration_ms: number;
}

export interface ExecutionFailed extends EventBase {
  readonly type: "execution:failed";
  readonly status: "failed";
  /** A sentence. */
  readonly error: string;
  readonly error_code: string;
  /** `null` if it was no node's fault, such as the execution's own time limit. */
  readonly failed_node_id: string | null;
  readonly completed_at: string;
  readonly duration_ms: number;
}

export interface ExecutionCancelled extends EventBase {
  readonly type: "execution:cancelled";
  readonly status: "cancelled";
  readonly reason: string;
  readonly cancelled_at: string;
  readonly duration_ms: number;
}

/** Extension event: no edge into the node was taken. */
export interface NodeSkipped extends EventBase {
  readonly type: "node:skipped";
  readonly node_id: string;
  readonly node_name: string;
  readonly node_type: string;
}

/** Extension event: an attempt failed, and another follows. */
export interface NodeRetrying extends EventBase {
  readonly type: "node:retrying";
  readonly node_id: string;
  readonly next_attempt: number;
  readonly delay_ms: number;
  readonly error: string;
  readonly error_code: string;
  /** `true` if the attempt was no failure: its server stopped. */
  readonly interrupted?: boolean;
}

/** Extension event: a `loop` or `workflow` node found out what it holds. */
export interface NodeExpanded extends EventBase {
  readonly type: "node:expanded";
  readonly node_id: string;
  /** One object for each run: a loop's item and index, a called workflow's inputs. */
  readonly scopes: readonly Readonly<Record<string, unknown>>[];
}

/** Extension event: what a node had to say. */
export interface NodeLog extends EventBase {
  readonly type: "node:log";
  readonly node_id: string;
  readonly level: LogLevel;
  readonly message: string;
}

/** Every event of this version's logs, told apart by `type`. */
export type KnownEvent =
  | ExecutionStarted
  | ExecutionProgress
  | NodeStarted
  | NodeCompleted
  | NodeFailed
  | ExecutionCompleted
  | ExecutionFailed
  | ExecutionCancelled
  | NodeSkipped
  | NodeRetrying
  | NodeExpanded
  | NodeLog;

export type TerminalEvent = ExecutionCompleted | ExecutionFailed | ExecutionCancelled;

export type EventType = KnownEvent["type"];
export type ExtensionType = "node:skipped" | "node:retrying" | "node:expanded" | "node:log";

// An ordinary `string` here would match every comparison with a known type, and take the types of
// that event's fields away; so would a branded one. A member of an enum that nobody can name does
// not. It exists for the compiler only.
declare enum UnknownType {
  any = "a type of a newer server",
}

/**
 * An event of a type that this version does not know, from a newer server, with all its fields.
 *
 * Its `type` is an ordinary string at run time.
 */
export interface UnknownEvent extends EventBase {
  readonly type: UnknownType;
  readonly [field: string]: unknown;
}

/** What a stream yields. */
export type StreamEvent = KnownEvent | UnknownEvent;

/** Opens every connection of a stream. It is not in the log, and no stream yields it. */
export interface Connected {
  readonly type: "connected";
  readonly execution_id: string;
  readonly timestamp: string;
  readonly status: Status;
  /** The newest number in the log as the connection opened; 0 for an empty log. */
  readonly last_event_id: number;
}
