import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { useNode, usePlayer, usePlayerState } from "../recording/hooks.js";
import { elapsedMs, type NodeView, nodeOf } from "../run/node-view.js";
import { useSession } from "../session/hooks.js";
import type { Credential } from "../session/session.js";
import { SignIn } from "../session/sign-in.js";
import { useTick } from "../ui/clock.js";
import { CopyButton } from "../ui/copy-button.js";
import { formatDuration, formatMoment } from "../ui/format.js";
import { JsonTree } from "../ui/json-tree.js";
import { StatusPill } from "../ui/status.js";
import type { Select, Selection } from "./selection.js";
import type { Details } from "./use-details.js";

interface DetailsPaneProps {
  readonly executionId: string;
  readonly credential: Credential;
  readonly details: Details;
  readonly selection: Selection | null;
  readonly select: Select;
}

/** What is chosen, in detail; without a choice, the execution. */
export function DetailsPane(props: DetailsPaneProps): ReactNode {
  const { selection, select } = props;
  const pane = useRef<HTMLElement>(null);
  useEffect(() => {
    if (selection !== null) pane.current?.scrollTo(0, 0);
  }, [selection]);
  return (
    <aside className="details" ref={pane} aria-label="Details">
      {selection !== null && (
        <button type="button" className="link back" onClick={() => select(null)}>
          ← Execution
        </button>
      )}
      {selection === null && <ExecutionDetails {...props} />}
      {selection?.kind === "node" && <NodeDetails id={selection.id} />}
      {selection?.kind === "event" && <EventDetails index={selection.index} select={select} />}
    </aside>
  );
}

function ExecutionDetails({ executionId, credential, details }: DetailsPaneProps): ReactNode {
  const { summary } = usePlayerState();
  const session = useSession();
  const { execution } = details;
  const outputs = summary.status === null ? execution?.outputs : summary.outputs;
  return (
    <>
      <h2>Execution</h2>
      <dl className="facts-list">
        {summary.workflowId !== null && (
          <Fact name="Workflow" value={<code>{summary.workflowId}</code>} />
        )}
        {summary.startedMs !== null && (
          <Fact name="Started" value={formatMoment(summary.startedMs)} />
        )}
        {summary.endedMs !== null && summary.startedMs !== null && (
          <Fact name="Took" value={formatDuration(summary.endedMs - summary.startedMs)} />
        )}
      </dl>
      {execution !== null && <Json name="Inputs" value={execution.inputs} />}
      {outputs != null && <Json name="Outputs" value={outputs} />}
      {outputs == null && summary.endedMs === null && (
        <p className="note">Outputs come when it has completed.</p>
      )}
      {credential.kind === "ticket" && (
        <details className="more">
          <summary>Opened with a link</summary>
          <p className="note">
            A link shows what happens, and nothing else. With an API key there are the whole graph,
            the inputs, and a way to cancel.
          </p>
          <SignIn onSignIn={() => session.dropTicket(executionId)} />
        </details>
      )}
    </>
  );
}

function NodeDetails({ id }: { id: string }): ReactNode {
  const player = usePlayer();
  const node = useNode(id);
  const { position } = usePlayerState();
  const logs = useMemo(
    () =>
      player.events
        .slice(0, position)
        .filter((event) => event.type === "node:log" && event.node_id === id),
    [player, position, id],
  );
  if (node === undefined) {
    return (
      <>
        <h2>{id}</h2>
        <StatusPill status="pending" />
        <p className="note">It has not begun.</p>
      </>
    );
  }
  return (
    <>
      <h2>{node.name}</h2>
      <StatusPill status={node.status} />
      <dl className="facts-list">
        <Fact name="Step" value={<code>{node.id}</code>} />
        <Fact name="Type" value={node.type} />
        <Took node={node} />
        {node.handle !== null && <Fact name="Way" value={<code>{node.handle}</code>} />}
        {node.scopes !== null && <Fact name="Runs" value={String(node.scopes)} />}
      </dl>
      {node.error !== null && (
        <div className="error-box">
          <p>{node.error}</p>
          {node.errorCode !== null && <code>{node.errorCode}</code>}
        </div>
      )}
      {node.attempts.length > 1 && <Attempts node={node} />}
      {node.outputs !== null && <Json name="Outputs" value={node.outputs} />}
      {logs.length > 0 && (
        <section>
          <h3>Log</h3>
          <ul className="log">
            {logs.slice(-MAX_LOGS).map((event) =>
              event.type === "node:log" ? (
                <li key={event.number} className={`level-${event.level}`}>
                  {event.message}
                </li>
              ) : null,
            )}
          </ul>
        </section>
      )}
    </>
  );
}

const MAX_LOGS = 200;

function Took({ node }: { node: NodeView }): ReactNode {
  const player = usePlayer();
  useTick(node.status === "running" || node.status === "retrying");
  const elapsed = elapsedMs(node, player.nowMs());
  return elapsed === null ? null : <Fact name="Took" value={formatDuration(elapsed)} />;
}

function Attempts({ node }: { node: NodeView }): ReactNode {
  return (
    <section>
      <h3>Attempts</h3>
      <ol className="attempts">
        {node.attempts.map(({ number, startedMs, endedMs, outcome }) => (
          <li key={number}>
            <span className={`attempt is-${outcome}`}>{outcome}</span>
            <span className="numbers">
              {endedMs === null ? "" : formatDuration(endedMs - startedMs)}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function EventDetails({ index, select }: { index: number; select: Select }): ReactNode {
  const player = usePlayer();
  const { connection, position } = usePlayerState();
  const event = player.events[index];
  if (event === undefined) return null;
  const nodeId = nodeOf(event);
  return (
    <>
      <h2>{event.type}</h2>
      <dl className="facts-list">
        <Fact name="Event" value={String(event.number)} />
        <Fact name="At" value={formatMoment(Date.parse(event.timestamp))} />
        {nodeId !== null && (
          <Fact
            name="Step"
            value={
              <button
                type="button"
                className="link"
                onClick={() => select({ kind: "node", id: nodeId })}
              >
                {nodeId}
              </button>
            }
          />
        )}
      </dl>
      {connection.kind === "ended" && position !== index + 1 && (
        <button type="button" className="button small" onClick={() => player.seek(index + 1)}>
          Show everything as of this event
        </button>
      )}
      <Json name="Data" value={event} />
    </>
  );
}

function Fact({ name, value }: { name: string; value: ReactNode }): ReactNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Json({ name, value }: { name: string; value: unknown }): ReactNode {
  return (
    <section>
      <div className="json-head">
        <h3>{name}</h3>
        <CopyButton
          text={() => JSON.stringify(value, null, 2)}
          label={`Copy ${name.toLowerCase()}`}
        />
      </div>
      <JsonTree value={value} label={name} />
    </section>
  );
}
