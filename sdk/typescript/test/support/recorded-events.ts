/** An execution's events, as a server would have recorded them. */

import { vectors } from "./vectors.js";

/** Four events, each as the text of its JSON; the third has characters of several bytes. */
export const LOG: readonly string[] = [
  ...vectors<{ log: string[] }>("resume.json").log.map((data) =>
    data.replace("Grüße", "Grüße, 世界 🎉"),
  ),
];

export const NUMBERS = LOG.map((_, index) => index + 1);

/** The first frame of every stream. */
export function opening(log: readonly string[] = LOG): string {
  const connected = {
    type: "connected",
    execution_id: "exec_01jx",
    timestamp: "2026-01-02T03:04:05.678Z",
    status: "running",
    last_event_id: log.length,
  };
  return `event: connected\ndata: ${JSON.stringify(connected)}\n\n`;
}

/** The frames of the events after the cursor. */
export function frames(after = 0, log: readonly string[] = LOG): string[] {
  return log.slice(after).map((data, index) => {
    const { type } = JSON.parse(data) as { type: string };
    return `id: ${after + index + 1}\nevent: ${type}\ndata: ${data}\n\n`;
  });
}
