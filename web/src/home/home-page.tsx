import type { Execution, Workflow } from "@flowmaestro/sdk";
import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { executionPath } from "../router.js";
import { explain } from "../session/failures.js";
import { useSession } from "../session/hooks.js";
import { type Credential, newClient } from "../session/session.js";
import { SignIn } from "../session/sign-in.js";
import { Brand } from "../ui/brand.js";
import { useInterval } from "../ui/clock.js";
import { formatAgo, formatDuration, formatMoment } from "../ui/format.js";
import { Link } from "../ui/link.js";
import { Message } from "../ui/message.js";
import { StatusIcon, statusWord } from "../ui/status.js";

interface HomePageProps {
  readonly credential: Extract<Credential, { kind: "key" }>;
  /** Only the executions of this workflow; `null`: of all. */
  readonly workflowId: string | null;
}

interface Lists {
  readonly executions: readonly Execution[];
  readonly executionCount: number;
  /** `null`: this key may not see them. */
  readonly workflows: readonly Workflow[] | null;
}

const REFRESH_MS = 4_000;

export function HomePage({ credential, workflowId }: HomePageProps): ReactNode {
  const session = useSession();
  const { lists, error, refresh } = useLists(credential, workflowId);
  useEffect(() => {
    document.title = "FlowMaestro";
  }, []);

  if (lists === null && error !== null) {
    const { title, sentence, way } = explain(error, "key");
    return (
      <Message title={title} sentence={sentence}>
        {way === "sign-in" ? (
          <SignIn />
        ) : (
          <button type="button" className="button" onClick={refresh}>
            Try again
          </button>
        )}
      </Message>
    );
  }
  return (
    <div className="home">
      <header className="bar">
        <Brand />
        <span className="spring" />
        {error !== null && (
          <span className="note" role="status">
            {explain(error, "key").title}
          </span>
        )}
        <button type="button" className="button quiet" onClick={() => session.signOut()}>
          Sign out
        </button>
      </header>
      <main className="home-lists">
        <section aria-labelledby="executions">
          <div className="section-head">
            <h1 id="executions">Executions</h1>
            {workflowId !== null && (
              <span className="filter">
                of <code>{workflowId}</code> <Link to="/">show all</Link>
              </span>
            )}
          </div>
          {lists !== null && <ExecutionList lists={lists} />}
        </section>
        {lists?.workflows != null && (
          <section aria-labelledby="workflows">
            <div className="section-head">
              <h2 id="workflows">Workflows</h2>
            </div>
            <WorkflowList workflows={lists.workflows} chosen={workflowId} />
          </section>
        )}
      </main>
    </div>
  );
}

function ExecutionList({ lists }: { lists: Lists }): ReactNode {
  const nowMs = Date.now();
  if (lists.executions.length === 0) {
    return (
      <div className="empty">
        <p>Nothing has run yet.</p>
        <p className="note">Start a workflow, and follow it here:</p>
        <pre>flowmaestro execute WORKFLOW_ID --open</pre>
      </div>
    );
  }
  return (
    <>
      <ul className="list">
        {lists.executions.map((execution) => (
          <li key={execution.id}>
            <Link to={executionPath(execution.id)} className="list-row">
              <StatusIcon status={execution.status} />
              <span className="list-main">
                <span className="list-name">{execution.workflow_name}</span>
                <span className="list-sub">{execution.error ?? execution.id}</span>
              </span>
              <span className="list-side">
                <span className="numbers">{durationOf(execution)}</span>
                <time
                  className="list-sub"
                  dateTime={execution.created_at}
                  title={formatMoment(Date.parse(execution.created_at))}
                >
                  {formatAgo(Date.parse(execution.created_at), nowMs)}
                </time>
              </span>
            </Link>
          </li>
        ))}
      </ul>
      {lists.executionCount > lists.executions.length && (
        <p className="note">
          The newest {lists.executions.length} of {lists.executionCount.toLocaleString("en")}.
        </p>
      )}
    </>
  );
}

function durationOf({ status, duration_ms }: Execution): string {
  return duration_ms === null ? statusWord(status) : formatDuration(duration_ms);
}

interface WorkflowListProps {
  readonly workflows: readonly Workflow[];
  readonly chosen: string | null;
}

function WorkflowList({ workflows, chosen }: WorkflowListProps): ReactNode {
  if (workflows.length === 0) {
    return (
      <div className="empty">
        <p>There is no workflow yet.</p>
        <pre>flowmaestro workflows push FILE</pre>
      </div>
    );
  }
  return (
    <ul className="list">
      {workflows.map((workflow) => (
        <li key={workflow.id}>
          <Link
            to={`/?workflow=${encodeURIComponent(workflow.id)}`}
            className="list-row"
            current={workflow.id === chosen}
          >
            <span className="list-main">
              <span className="list-name">{workflow.name}</span>
              <span className="list-sub">{workflow.description || workflow.id}</span>
            </span>
            <span className="list-side">
              <span className="list-sub">{stepsOf(workflow)}</span>
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function stepsOf({ definition, version }: Workflow): string {
  const nodes = definition?.nodes;
  const count = typeof nodes === "object" && nodes !== null ? Object.keys(nodes).length : null;
  const steps = count === null ? "" : `${count} ${count === 1 ? "step" : "steps"} · `;
  return `${steps}v${version}`;
}

function useLists({ key }: { key: string }, workflowId: string | null) {
  const client = useMemo(() => newClient({ kind: "key", key }), [key]);
  const [lists, setLists] = useState<Lists | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [turn, setTurn] = useState(0);
  const refresh = useCallback(() => setTurn((before) => before + 1), []);
  useInterval(refresh, REFRESH_MS);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each turn asks again
  useEffect(() => {
    const abort = new AbortController();
    const { signal } = abort;
    const load = async () => {
      const [executions, workflows] = await Promise.all([
        client.executions.list({ workflowId: workflowId ?? undefined, signal }),
        // A key that may only see executions is a good key.
        client.workflows.list({ perPage: 50, signal }).catch(() => null),
      ]);
      setError(null);
      setLists({
        executions: executions.items,
        executionCount: executions.pagination.total_count,
        workflows: workflows?.items ?? null,
      });
    };
    load().catch((failure: unknown) => {
      if (!signal.aborted) setError(failure as Error);
    });
    return () => abort.abort();
  }, [client, workflowId, turn]);
  return { lists, error, refresh };
}
