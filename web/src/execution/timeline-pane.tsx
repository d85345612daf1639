import { type ReactNode, useCallback, useMemo, useState } from "react";
import { useNode, usePlayer, usePlayerState } from "../recording/hooks.js";
import { elapsedMs, type NodeView } from "../run/node-view.js";
import { placed, ticks } from "../run/timeline.js";
import { useTick } from "../ui/clock.js";
import { formatDuration } from "../ui/format.js";
import { StatusIcon } from "../ui/status.js";
import { VirtualList } from "../ui/virtual-list.js";
import type { Select, Selection } from "./selection.js";

interface TimelinePaneProps {
  readonly selection: Selection | null;
  readonly select: Select;
}

const ROW_HEIGHT = 30;
const MAX_TICKS = 6;
/** Past this part of the track there is no room for a time. */
const LAST_TICK = 0.94;
/** What an execution that has just begun fills of the track. */
const LEAST_SPAN_MS = 50;

export function TimelinePane({ selection, select }: TimelinePaneProps): ReactNode {
  const player = usePlayer();
  const { begun, isLive, isCaughtUp, summary, isPlaying, connection } = usePlayerState();
  const { startedMs, endedMs } = summary;
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  // While it runs the span grows; a replay shows the whole span from the beginning.
  useTick(isPlaying || (isLive && startedMs !== null && endedMs === null));

  const isFolded = useCallback(
    // A loop has as many nodes inside as its list is long: it opens when it is asked to.
    (id: string) => (player.node(id)?.type === "loop") !== toggled.has(id),
    [player, toggled],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: the order grows with `begun`
  const rows = useMemo(
    () => rowsOf(player.order, (id) => player.node(id), isFolded),
    [player, begun, isFolded],
  );
  if (startedMs === null) {
    const isOver = connection.kind === "ended";
    return <p className="empty">{isOver ? "Nothing ran." : "Waiting for the first step."}</p>;
  }
  const last = player.events.at(-1);
  const wholeEndMs = isLive || last === undefined ? player.nowMs() : Date.parse(last.timestamp);
  const spanMs = Math.max(LEAST_SPAN_MS, wholeEndMs - startedMs);
  const span = { originMs: startedMs, spanMs };
  const selectedId = selection?.kind === "node" ? selection.id : null;
  // Its own row may be folded away; then the one it is in is in view anyway, or not asked for.
  const followed =
    selectedId ??
    (isLive && isCaughtUp && endedMs === null ? player.order.at(-1) : undefined) ??
    "";
  const toggle = (id: string) => {
    const changed = new Set(toggled);
    if (!changed.delete(id)) changed.add(id);
    setToggled(changed);
  };
  return (
    <div className="timeline">
      <div className="timeline-axis" aria-hidden="true">
        {ticks(spanMs * LAST_TICK, MAX_TICKS).map((at) => (
          <span key={at} style={{ left: `${(100 * at) / spanMs}%` }}>
            {at === 0 ? "0" : formatDuration(at)}
          </span>
        ))}
      </div>
      <VirtualList
        label="Timeline of the steps"
        count={rows.length}
        rowHeight={ROW_HEIGHT}
        selected={selectedId === null ? -1 : rows.indexOf(selectedId)}
        onSelect={(index) => select({ kind: "node", id: rows[index] as string })}
        rowKey={(index) => rows[index] as string}
        renderRow={(index) => (
          <Row
            id={rows[index] as string}
            span={span}
            isFolded={isFolded(rows[index] as string)}
            toggle={toggle}
          />
        )}
        follow={rows.indexOf(followed)}
      />
    </div>
  );
}

/** Returns the nodes in the order of their rows: each in its container, which may be folded. */
function rowsOf(
  order: readonly string[],
  nodeOf: (id: string) => NodeView | undefined,
  isFolded: (id: string) => boolean,
): readonly string[] {
  const children = new Map<string | null, string[]>();
  for (const id of order) {
    const parent = nodeOf(id)?.parent ?? null;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [id]);
    else siblings.push(id);
  }
  const rows: string[] = [];
  const add = (parent: string | null) => {
    for (const id of children.get(parent) ?? []) {
      rows.push(id);
      if (!isFolded(id)) add(id);
    }
  };
  add(null);
  return rows;
}

interface RowProps {
  readonly id: string;
  readonly span: { readonly originMs: number; readonly spanMs: number };
  readonly isFolded: boolean;
  readonly toggle: (id: string) => void;
}

function Row({ id, span, isFolded, toggle }: RowProps): ReactNode {
  const player = usePlayer();
  const node = useNode(id);
  if (node === undefined) return null;
  const nowMs = player.nowMs();
  const elapsed = elapsedMs(node, nowMs);
  const endMs = node.attempts.at(-1)?.endedMs ?? nowMs;
  const label = elapsed === null ? "" : formatDuration(elapsed);
  const bars = node.attempts.map((attempt) => ({
    ...attempt,
    ...placed(attempt.startedMs, attempt.endedMs ?? nowMs, span.originMs, span.spanMs),
  }));
  const end = placed(endMs, endMs, span.originMs, span.spanMs).left;
  const start = bars[0]?.left ?? 0;
  return (
    <>
      <span className={`timeline-name depth-${Math.min(4, node.depth)}`}>
        {node.inner === null ? (
          <span className="fold-space" />
        ) : (
          <button
            type="button"
            className="fold"
            tabIndex={-1}
            aria-label={isFolded ? "Unfold" : "Fold"}
            aria-expanded={!isFolded}
            onClick={(event) => {
              event.stopPropagation();
              toggle(id);
            }}
          >
            {isFolded ? "▸" : "▾"}
          </button>
        )}
        <StatusIcon status={node.status} />
        <span className="ellipsis" title={node.id}>
          {node.name === "" || node.depth > 0 ? shortId(node) : node.name}
          {node.scopes !== null && node.scopes > 1 && <span className="note"> ×{node.scopes}</span>}
        </span>
      </span>
      <span className="timeline-track">
        {bars.length > 1 && (
          <span
            className="timeline-whole"
            style={{ left: `${start}%`, width: `${end - start}%` }}
          />
        )}
        {bars.map((bar) => (
          <span
            key={`${bar.number}-${bar.startedMs}`}
            className={`bar-of is-${bar.outcome}`}
            style={{ left: `${bar.left}%`, width: `${bar.width}%` }}
          />
        ))}
        <span className="timeline-duration" style={{ left: `${end}%` }}>
          {label}
        </span>
      </span>
    </>
  );
}

/** The part of a path that the container does not say: `[2].fetch`. */
function shortId({ id, parent }: NodeView): string {
  return parent === null ? id : id.slice(parent.length).replace(/^\./, "");
}
