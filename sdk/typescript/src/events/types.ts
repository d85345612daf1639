import type {
  EventType,
  ExtensionType,
  StreamEvent,
  TerminalEvent,
  UnknownEvent,
} from "./models.js";

/** The types that a log can hold, as far as this version knows. */
export const EVENT_TYPES: readonly EventType[] = [
  "execution:started",
  "execution:progress",
  "node:started",
  "node:completed",
  "node:failed",
  "execution:completed",
  "execution:failed",
  "execution:cancelled",
  "node:skipped",
  "node:retrying",
  "node:expanded",
  "node:log",
];

/** The types that a stream sends only when `include` asks for them. */
export const EXTENSION_TYPES: readonly ExtensionType[] = [
  "node:skipped",
  "node:retrying",
  "node:expanded",
  "node:log",
];

/** Whether `event` ends its log. */
export function isTerminal(event: StreamEvent): event is TerminalEvent {
  return (
    event.type === "execution:completed" ||
    event.type === "execution:failed" ||
    event.type === "execution:cancelled"
  );
}

/** Whether `event` is of a type that this version of the SDK does not know. */
export function isUnknown(event: StreamEvent): event is UnknownEvent {
  return !(EVENT_TYPES as readonly string[]).includes(event.type);
}
