/**
 * What each event's fields must be: the table of `protocol/vectors/events.json`, as code.
 *
 * Each check reads its fields by name, not in a loop over names, which costs as much as parsing the
 * event's JSON did.
 */

type Fields = Readonly<Record<string, unknown>>;

/** A field that is missing or wrong. */
export interface Fault {
  readonly field: string;
  readonly reason: string;
}

/** Finds the first field of an event that is wrong. */
export type Check = (event: Fields) => Fault | undefined;

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$/;

function fault(value: unknown, field: string, expected: string): Fault {
  return { field, reason: value === undefined ? "is missing" : `must be ${expected}` };
}

function text(value: unknown, field: string): Fault | undefined {
  return typeof value === "string" ? undefined : fault(value, field, "a string");
}

function whole(value: unknown, field: string): Fault | undefined {
  return Number.isInteger(value) ? undefined : fault(value, field, "an integer");
}

function moment(value: unknown, field: string): Fault | undefined {
  const holds = typeof value === "string" && MOMENT.test(value);
  return holds ? undefined : fault(value, field, "a time with its zone");
}

function percent(value: unknown, field: string): Fault | undefined {
  const holds = typeof value === "number" && value >= 0 && value <= 100;
  return holds ? undefined : fault(value, field, "a number from 0 to 100");
}

function object(value: unknown, field: string): Fault | undefined {
  return isObject(value) ? undefined : fault(value, field, "an object");
}

function objects(value: unknown, field: string): Fault | undefined {
  const holds = Array.isArray(value) && value.every(isObject);
  return holds ? undefined : fault(value, field, "an array of objects");
}

function oneOf(values: readonly string[], value: unknown, field: string): Fault | undefined {
  const holds = values.includes(value as string);
  return holds ? undefined : fault(value, field, `one of ${values.join(", ")}`);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function node(event: Fields): Fault | undefined {
  return (
    text(event.node_id, "node_id") ??
    text(event.node_name, "node_name") ??
    text(event.node_type, "node_type")
  );
}

/** What every event has: all that is known of a type of a newer server. */
export const checkAnyEvent: Check = (event) =>
  text(event.execution_id, "execution_id") ?? moment(event.timestamp, "timestamp");

const STATUSES = ["pending", "running", "completed", "failed", "cancelled"];
const LEVELS = ["debug", "info", "warning", "error"];

/** What an event of each type has besides. */
export const CHECK_OF_TYPE: ReadonlyMap<string, Check> = new Map<string, Check>([
  [
    "connected",
    (event) =>
      oneOf(STATUSES, event.status, "status") ?? whole(event.last_event_id, "last_event_id"),
  ],
  [
    "execution:started",
    (event) =>
      text(event.workflow_id, "workflow_id") ??
      text(event.workflow_name, "workflow_name") ??
      moment(event.started_at, "started_at") ??
      whole(event.total_nodes, "total_nodes"),
  ],
  [
    "execution:progress",
    (event) =>
      percent(event.progress, "progress") ??
      (event.current_node === null ? undefined : text(event.current_node, "current_node")) ??
      whole(event.completed_nodes, "completed_nodes") ??
      whole(event.total_nodes, "total_nodes") ??
      (event.node_progress == null ? undefined : percent(event.node_progress, "node_progress")),
  ],
  [
    "node:started",
    (event) =>
      node(event) ?? whole(event.attempt, "attempt") ?? moment(event.started_at, "started_at"),
  ],
  [
    "node:completed",
    (event) =>
      node(event) ??
      object(event.outputs, "outputs") ??
      whole(event.attempt, "attempt") ??
      whole(event.duration_ms, "duration_ms") ??
      moment(event.completed_at, "completed_at") ??
      (event.handle == null ? undefined : text(event.handle, "handle")),
  ],
  [
    "node:failed",
    (event) =>
      node(event) ??
      text(event.error, "error") ??
      text(event.error_code, "error_code") ??
      whole(event.attempt, "attempt") ??
      whole(event.duration_ms, "duration_ms"),
  ],
  [
    "execution:completed",
    (event) =>
      oneOf(["completed"], event.status, "status") ??
      object(event.outputs, "outputs") ??
      moment(event.started_at, "started_at") ??
      moment(event.completed_at, "completed_at") ??
      whole(event.duration_ms, "duration_ms"),
  ],
  [
    "execution:failed",
    (event) =>
      oneOf(["failed"], event.status, "status") ??
      text(event.error, "error") ??
      text(event.error_code, "error_code") ??
      (event.failed_node_id === null ? undefined : text(event.failed_node_id, "failed_node_id")) ??
      moment(event.completed_at, "completed_at") ??
      whole(event.duration_ms, "duration_ms"),
  ],
  [
    "execution:cancelled",
    (event) =>
      oneOf(["cancelled"], event.status, "status") ??
      text(event.reason, "reason") ??
      moment(event.cancelled_at, "cancelled_at") ??
      whole(event.duration_ms, "duration_ms"),
  ],
  ["node:skipped", node],
  [
    "node:retrying",
    (event) =>
      text(event.node_id, "node_id") ??
      whole(event.next_attempt, "next_attempt") ??
      whole(event.delay_ms, "delay_ms") ??
      text(event.error, "error") ??
      text(event.error_code, "error_code") ??
      (event.interrupted === undefined || typeof event.interrupted === "boolean"
        ? undefined
        : fault(event.interrupted, "interrupted", "true or false")),
  ],
  ["node:expanded", (event) => text(event.node_id, "node_id") ?? objects(event.scopes, "scopes")],
  [
    "node:log",
    (event) =>
      text(event.node_id, "node_id") ??
      oneOf(LEVELS, event.level, "level") ??
      text(event.message, "message"),
  ],
]);
