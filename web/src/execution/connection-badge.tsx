import type { ReactNode } from "react";
import { usePlayer, usePlayerState } from "../recording/hooks.js";
import { useTick } from "../ui/clock.js";

/** How the stream stands, in a word; when it comes back, and a way to not wait for that. */
export function ConnectionBadge(): ReactNode {
  const player = usePlayer();
  const { connection } = usePlayerState();
  const isWaiting = connection.kind === "reconnecting";
  useTick(isWaiting);
  if (connection.kind === "ended") return null;
  const seconds = isWaiting ? Math.ceil(Math.max(0, connection.untilMs - Date.now()) / 1_000) : 0;
  return (
    <span className={`connection is-${connection.kind}`} data-connection={connection.kind}>
      <span className="connection-dot" />
      {/* The countdown is not spoken: it would be each second. */}
      <span role="status">{WORDS[connection.kind]}</span>
      {isWaiting && (
        <>
          <span className="numbers" aria-hidden="true">
            {seconds > 0 ? `in ${seconds} s` : "now"}
          </span>
          <button type="button" className="link" onClick={() => player.recording.open()}>
            Now
          </button>
        </>
      )}
    </span>
  );
}

const WORDS = {
  connecting: "Connecting",
  open: "Live",
  reconnecting: "Reconnecting",
  ended: "",
  failed: "Disconnected",
} as const;
