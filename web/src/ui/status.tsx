import type { Status } from "@flowmaestro/sdk";
import type { ReactNode } from "react";
import type { NodeStatus } from "../run/node-view.js";

type AnyStatus = Status | NodeStatus;

const WORDS: Readonly<Record<AnyStatus, string>> = {
  pending: "Pending",
  running: "Running",
  retrying: "Retrying",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  skipped: "Skipped",
  stopped: "Stopped",
};

const SHAPES: Readonly<Record<AnyStatus, ReactNode>> = {
  pending: <circle cx="8" cy="8" r="5.25" strokeDasharray="2.2 2" />,
  running: (
    <>
      <circle cx="8" cy="8" r="5.25" className="track" />
      <path d="M8 2.75A5.25 5.25 0 0 1 13.25 8" className="spin" />
    </>
  ),
  retrying: <path d="M12.6 5.4A5.25 5.25 0 1 0 13.25 8M13 2.6v3h-3" />,
  completed: (
    <>
      <circle cx="8" cy="8" r="6.25" className="disc" />
      <path d="m5.4 8.2 1.8 1.8 3.4-3.8" className="on-disc" />
    </>
  ),
  failed: (
    <>
      <circle cx="8" cy="8" r="6.25" className="disc" />
      <path d="m6 6 4 4m0-4-4 4" className="on-disc" />
    </>
  ),
  cancelled: (
    <>
      <circle cx="8" cy="8" r="5.25" />
      <path d="M5.5 8h5" />
    </>
  ),
  skipped: <path d="M4 8h8M9.5 5.5 12 8l-2.5 2.5" />,
  stopped: <rect x="4.5" y="4.5" width="7" height="7" rx="1.5" />,
};

export function statusWord(status: AnyStatus): string {
  return WORDS[status];
}

/** A status as a sign, with its word for those who hear the page unless one stands beside it. */
export function StatusIcon({ status, silent }: { status: AnyStatus; silent?: boolean }): ReactNode {
  return (
    // biome-ignore lint/a11y/noSvgWithoutTitle: a title would be a tooltip; it has a label
    <svg
      className={`status-icon is-${status}`}
      viewBox="0 0 16 16"
      {...(silent ? { "aria-hidden": true } : { role: "img", "aria-label": WORDS[status] })}
    >
      {SHAPES[status]}
    </svg>
  );
}

export function StatusPill({ status }: { status: AnyStatus }): ReactNode {
  return (
    <span className={`pill is-${status}`} data-status={status}>
      <StatusIcon status={status} silent />
      {WORDS[status]}
    </span>
  );
}
