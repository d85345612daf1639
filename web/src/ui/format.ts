/** Numbers and times as people read them. */

/** `340 ms`, `2.4 s`, `1 m 05 s`, `2 h 03 m`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${pad(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

/** `+0.412 s`, `+12.0 s`, `+1 m 05 s`: how long after the beginning. */
export function formatOffset(ms: number): string {
  if (ms < 10_000) return `+${(ms / 1_000).toFixed(3)} s`;
  return `+${formatDuration(ms)}`;
}

/** `812 B`, `1.2 kB`, `1.0 MB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 999_950) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** `just now`, `4 min. ago`, `yesterday`. */
export function formatAgo(thenMs: number, nowMs: number): string {
  const ms = nowMs - thenMs;
  for (const [unit, unitMs] of STEPS) {
    if (ms >= unitMs) return AGO.format(-Math.floor(ms / unitMs), unit);
  }
  return "just now";
}

const MOMENT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

/** A moment in the reader's own time zone. */
export function formatMoment(ms: number): string {
  return MOMENT.format(ms);
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
