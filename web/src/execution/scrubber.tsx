import type { ReactNode } from "react";
import { usePlayer, usePlayerState } from "../recording/hooks.js";
import { formatOffset } from "../ui/format.js";

/** Replays an execution that has ended, from its log. */
export function Scrubber(): ReactNode {
  const player = usePlayer();
  const { connection, count, position, isPlaying } = usePlayerState();
  if (connection.kind !== "ended" || count === 0) return null;
  const originMs = Date.parse(player.events[0]?.timestamp ?? "");
  const event = player.events[Math.max(0, position - 1)];
  const offset = formatOffset(Date.parse(event?.timestamp ?? "") - originMs);
  const words = `Event ${position} of ${count}, ${offset}`;
  return (
    <section className="scrubber" aria-label="Replay">
      <button
        type="button"
        className="button play"
        onClick={() => (isPlaying ? player.pause() : player.play())}
      >
        {isPlaying ? "Pause" : "Replay"}
      </button>
      <input
        type="range"
        min={0}
        max={count}
        step={1}
        value={position}
        aria-label="Events shown"
        aria-valuetext={words}
        onChange={(change) => player.seek(Number(change.target.value))}
      />
      <output className="numbers">
        {position} / {count} <span className="note">{offset}</span>
      </output>
    </section>
  );
}
