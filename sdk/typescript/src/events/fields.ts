/** What each event's fields must be: the table of `protocol/vectors/events.json`, as code. */

/** What one field must hold. */
export interface FieldRule {
  readonly field: string;
  readonly optional: boolean;
  readonly holds: (value: unknown) => boolean;
  /** What it must be, as an error says it. */
  readonly expected: string;
}

type Kind = readonly [holds: (value: unknown) => boolean, expected: string];

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$/;

const isObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text: Kind = [(value) => typeof value === "string", "a string"];
const whole: Kind = [Number.isInteger, "an integer"];
const flag: Kind = [(value) => typeof value === "boolean", "true or false"];
const object: Kind = [isObject, "an object"];
const moment: Kind = [
  (value) => typeof value === "string" && MOMENT.test(value),
  "a time with its zone",
];
const percent: Kind = [
  (value) => typeof value === "number" && value >= 0 && value <= 100,
  "a number from 0 to 100",
];
const objects: Kind = [
  (value) => Array.isArray(value) && value.every(isObject),
  "an array of objects",
];

const oneOf = (...values: readonly string[]): Kind => [
  (value) => values.includes(value as string),
  `one of ${values.join(", ")}`,
];
const orNull = ([holds, expected]: Kind): Kind => [
  (value) => value === null || holds(value),
  `${expected}, or null`,
];

const status = oneOf("pending", "running", "completed", "failed", "cancelled");
const everyEvent = { execution_id: text, timestamp: moment };
const node = { node_id: text, node_name: text, node_type: text };

function rules(
  required: Readonly<Record<string, Kind>>,
  optional: Readonly<Record<string, Kind>> = {},
): readonly FieldRule[] {
  const from = (fields: Readonly<Record<string, Kind>>, isOptional: boolean): FieldRule[] =>
    Object.entries(fields).map(([field, [holds, expected]]) => ({
      field,
      optional: isOptional,
      holds,
      expected,
    }));
  return [...from({ ...everyEvent, ...required }, false), ...from(optional, true)];
}

/** Of a type that this version does not know, only this is known. */
export const UNKNOWN_TYPE_FIELDS = rules({});

export const FIELDS_OF_TYPE: ReadonlyMap<string, readonly FieldRule[]> = new Map([
  ["connected", rules({ status, last_event_id: whole })],
  [
    "execution:started",
    rules({ workflow_id: text, workflow_name: text, started_at: moment, total_nodes: whole }),
  ],
  [
    "execution:progress",
    rules(
      {
        progress: percent,
        current_node: orNull(text),
        completed_nodes: whole,
        total_nodes: whole,
      },
      { node_progress: orNull(percent) },
    ),
  ],
  ["node:started", rules({ ...node, attempt: whole, started_at: moment })],
  [
    "node:completed",
    rules(
      { ...node, outputs: object, attempt: whole, duration_ms: whole, completed_at: moment },
      { handle: orNull(text) },
    ),
  ],
  [
    "node:failed",
    rules({ ...node, error: text, error_code: text, attempt: whole, duration_ms: whole }),
  ],
  [
    "execution:completed",
    rules({
      status: oneOf("completed"),
      outputs: object,
      started_at: moment,
      completed_at: moment,
      duration_ms: whole,
    }),
  ],
  [
    "execution:failed",
    rules({
      status: oneOf("failed"),
      error: text,
      error_code: text,
      failed_node_id: orNull(text),
      completed_at: moment,
      duration_ms: whole,
    }),
  ],
  [
    "execution:cancelled",
    rules({
      status: oneOf("cancelled"),
      reason: text,
      cancelled_at: moment,
      duration_ms: whole,
    }),
  ],
  ["node:skipped", rules(node)],
  [
    "node:retrying",
    rules(
      {
        node_id: text,
        next_attempt: whole,
        delay_ms: whole,
        error: text,
        error_code: text,
      },
      { interrupted: flag },
    ),
  ],
  ["node:expanded", rules({ node_id: text, scopes: objects })],
  [
    "node:log",
    rules({ node_id: text, level: oneOf("debug", "info", "warning", "error"), message: text }),
  ],
]);
