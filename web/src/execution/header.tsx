import type { Status } from "@flowmaestro/sdk";
import { type ReactNode, useState } from "react";
import { usePlayer, usePlayerState } from "../recording/hooks.js";
import { Brand } from "../ui/brand.js";
import { useTick } from "../ui/clock.js";
import { CopyButton } from "../ui/copy-button.js";
import { formatDuration } from "../ui/format.js";
import { StatusPill } from "../ui/status.js";
import { CancelDialog } from "./cancel-dialog.js";
import { ConnectionBadge } from "./connection-badge.js";

interface HeaderProps {
  readonly executionId: string;
  readonly name: string;
  readonly status: Status | null;
  /** `undefined`: what the page was opened with may not cancel. */
  readonly onCancel: ((reason: string | undefined) => Promise<unknown>) | undefined;
}

export function Header({ executionId, name, status, onCancel }: HeaderProps): ReactNode {
  const { summary, connection } = usePlayerState();
  const [isAsking, setAsking] = useState(false);
  const isUnfinished =
    connection.kind !== "ended" && (status === "running" || status === "pending");
  const progress = Math.round(summary.progress);
  return (
    <header className="execution-header">
      <div className="bar">
        <Brand />
        <div className="title">
          <h1 title={name}>{name}</h1>
          <span className="title-id">
            <code>{executionId}</code>
            <CopyButton text={() => executionId} label="Copy the execution's id" />
          </span>
        </div>
        <span className="spring" />
        <ConnectionBadge />
        <Elapsed />
        {status !== null && <StatusPill status={status} />}
        {isUnfinished && (
          <button type="button" className="button" onClick={() => setAsking(true)}>
            Cancel
          </button>
        )}
      </div>
      <div
        className={`progress is-${status ?? "pending"}`}
        role="progressbar"
        aria-label="Progress of the execution"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={progress}
      >
        <div className="progress-done" style={{ transform: `scaleX(${summary.progress / 100})` }} />
      </div>
      {isAsking && isUnfinished && (
        <CancelDialog onCancel={onCancel} onClose={() => setAsking(false)} />
      )}
    </header>
  );
}

function Elapsed(): ReactNode {
  const player = usePlayer();
  const { summary, isPlaying } = usePlayerState();
  const { startedMs, endedMs, completedNodes, totalNodes } = summary;
  useTick(isPlaying || (startedMs !== null && endedMs === null));
  if (startedMs === null) return null;
  const elapsed = Math.max(0, (endedMs ?? player.nowMs()) - startedMs);
  return (
    <span className="facts">
      {totalNodes !== null && (
        <span className="fact">
          <b>{completedNodes}</b> of {totalNodes} steps
        </span>
      )}
      <span className="fact numbers elapsed">{formatDuration(elapsed)}</span>
    </span>
  );
}
