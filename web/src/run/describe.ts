/** What an event says, in a few words. */

import type { StreamEvent } from "@flowmaestro/sdk";
import { formatDuration } from "../ui/format.js";
import { nodeOf } from "./node-view.js";

/** How an event is marked. */
export type Tone = "neutral" | "quiet" | "active" | "good" | "bad" | "warn";

const TONES: Readonly<Record<string, Tone>> = {
  "execution:started": "active",
  "execution:progress": "quiet",
  "execution:completed": "good",
  "execution:failed": "bad",
  "execution:cancelled": "warn",
  "node:started": "active",
  "node:completed": "good",
  "node:failed": "bad",
  "node:retrying": "warn",
  "node:skipped": "quiet",
};

export function toneOf(event: StreamEvent): Tone {
  if (event.type === "node:log") {
    if (event.level === "error") return "bad";
    return event.level === "warning" ? "warn" : "neutral";
  }
  return TONES[event.type] ?? "neutral";
}

/** Returns what `event` says besides its type and node, on one line. */
export function describe(event: StreamEvent): string {
  switch (event.type) {
    case "execution:started":
      return `${event.workflow_name}, ${event.total_nodes} steps`;
    case "execution:progress": {
      const own = event.node_progress == null ? "" : `, the step ${event.node_progress} %`;
      return `${event.progress} %, ${event.completed_nodes} of ${event.total_nodes} steps${own}`;
    }
    case "execution:completed":
      return `in ${formatDuration(event.duration_ms)}`;
    case "execution:failed":
      return event.error;
    case "execution:cancelled":
      return event.reason;
    case "node:started":
      return event.attempt > 1 ? `attempt ${event.attempt}` : event.node_type;
    case "node:completed": {
      const way = event.handle == null ? "" : ` → ${event.handle}`;
      return `in ${formatDuration(event.duration_ms)}${way}`;
    }
    case "node:failed":
      return event.error;
    case "node:retrying":
      return `attempt ${event.next_attempt} in ${formatDuration(event.delay_ms)}: ${event.error}`;
    case "node:skipped":
      return "no way led here";
    case "node:expanded":
      return `${event.scopes.length} runs of its steps`;
    case "node:log":
      return event.message;
    default:
      return "";
  }
}

const MAX_SEARCHED_LENGTH = 20_000;
const searched = new WeakMap<StreamEvent, string>();

/** Whether `event` holds `words`, which are in lower case, in its type, node or data. */
export function matches(event: StreamEvent, words: string): boolean {
  let text = searched.get(event);
  if (text === undefined) {
    const data = JSON.stringify(event).slice(0, MAX_SEARCHED_LENGTH);
    text = `${event.number} ${event.type} ${nodeOf(event) ?? ""} ${describe(event)} ${data}`;
    text = text.toLowerCase();
    searched.set(event, text);
  }
  return text.includes(words);
}
