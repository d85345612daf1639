import { type ReactNode, useMemo, useState } from "react";
import { usePlayer, usePlayerState } from "../recording/hooks.js";
import { describe, matches, toneOf } from "../run/describe.js";
import { nodeOf } from "../run/node-view.js";
import { formatOffset } from "../ui/format.js";
import { VirtualList } from "../ui/virtual-list.js";
import type { Select, Selection } from "./selection.js";

interface EventsPaneProps {
  readonly selection: Selection | null;
  readonly select: Select;
}

const ROW_HEIGHT = 30;

/** The event log as it comes, with search and pause. */
export function EventsPane({ selection, select }: EventsPaneProps): ReactNode {
  const player = usePlayer();
  const { count, position, isLive, connection } = usePlayerState();
  const [words, setWords] = useState("");
  const [pausedAt, setPausedAt] = useState<number | null>(null);
  const listed = pausedAt ?? count;
  const found = useMemo(() => {
    const wanted = words.trim().toLowerCase();
    if (wanted === "") return null;
    const indexes: number[] = [];
    for (let index = 0; index < listed; index += 1) {
      const event = player.events[index];
      if (event !== undefined && matches(event, wanted)) indexes.push(index);
    }
    return indexes;
  }, [player, words, listed]);
  const rowCount = found?.length ?? listed;
  const indexAt = (row: number): number => (found === null ? row : (found[row] as number));
  const rowOf = (index: number): number => (found === null ? index : found.indexOf(index));
  const chosen = selection?.kind === "event" ? rowOf(selection.index) : -1;
  const isEnded = connection.kind === "ended";
  const originMs = Date.parse(player.events[0]?.timestamp ?? "");
  const follow =
    pausedAt !== null || chosen >= 0 ? -1 : isLive ? rowCount - 1 : rowOf(position - 1);

  const renderRow = (row: number): ReactNode => {
    const index = indexAt(row);
    const event = player.events[index];
    if (event === undefined) return null;
    return (
      <span
        className={`event tone-${toneOf(event)}`}
        data-event={event.number}
        data-later={index >= position}
      >
        <span className="event-number">{event.number}</span>
        <time className="event-time" dateTime={event.timestamp}>
          {formatOffset(Date.parse(event.timestamp) - originMs)}
        </time>
        <span className="event-type">{event.type}</span>
        <span className="event-text">
          {nodeOf(event) !== null && <b>{nodeOf(event)}</b>} {describe(event)}
        </span>
      </span>
    );
  };
  return (
    <div className="events">
      <div className="events-tools">
        <input
          type="search"
          placeholder="Search type, step, text"
          aria-label="Search the events"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
        <span className="note numbers" role="status">
          {found === null ? `${listed} events` : `${found.length} of ${listed}`}
          {pausedAt !== null && count > pausedAt && `, ${count - pausedAt} more`}
        </span>
        {(!isEnded || pausedAt !== null) && (
          <button
            type="button"
            className="button small"
            aria-pressed={pausedAt !== null}
            onClick={() => setPausedAt(pausedAt === null ? count : null)}
          >
            {pausedAt === null ? "Pause" : "Resume"}
          </button>
        )}
      </div>
      {rowCount === 0 ? (
        <p className="empty">{found === null ? "No event yet." : "No event holds these words."}</p>
      ) : (
        <VirtualList
          label="Events"
          count={rowCount}
          rowHeight={ROW_HEIGHT}
          selected={chosen}
          onSelect={(row) => select({ kind: "event", index: indexAt(row) })}
          rowKey={indexAt}
          renderRow={renderRow}
          follow={follow}
        />
      )}
    </div>
  );
}
