import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { PlayerProvider, usePlayerState } from "../recording/hooks.js";
import { Player } from "../recording/player.js";
import { explain } from "../session/failures.js";
import { useSession } from "../session/hooks.js";
import { type Credential, newClient } from "../session/session.js";
import { SignIn } from "../session/sign-in.js";
import { Message } from "../ui/message.js";
import { statusWord } from "../ui/status.js";
import { DetailsPane } from "./details-pane.js";
import { GraphPane } from "./graph-pane.js";
import { Header } from "./header.js";
import { Notices } from "./notices.js";
import { Panels } from "./panels.js";
import { Scrubber } from "./scrubber.js";
import type { Selection } from "./selection.js";
import { type Details, useDetails } from "./use-details.js";

interface ExecutionPageProps {
  readonly executionId: string;
  readonly credential: Credential;
}

/** One execution. Another credential takes the recording over, and goes on from its cursor. */
export function ExecutionPage({ executionId, credential }: ExecutionPageProps): ReactNode {
  const client = useMemo(() => newClient(credential), [credential]);
  const hasKey = credential.kind === "key";
  const details = useDetails(client, executionId, hasKey);
  const source = useMemo(
    () => ({ client, ticket: credential.kind === "ticket" ? credential.ticket : undefined }),
    [client, credential],
  );
  // The first source only: a later one takes over below.
  const [player] = useState(() => new Player(executionId, source));
  useEffect(() => {
    player.recording.open(source);
    return () => player.close();
  }, [player, source]);
  useEffect(() => {
    const onOnline = () => {
      if (player.recording.connection.kind === "reconnecting") player.recording.open();
    };
    window.addEventListener("online", onOnline);
    return () => window.removeEventListener("online", onOnline);
  }, [player]);

  return (
    <PlayerProvider value={player}>
      <Contents
        executionId={executionId}
        credential={credential}
        details={details}
        onRetry={() => player.recording.open()}
        onCancel={
          hasKey ? (reason) => client.executions.cancel(executionId, { reason }) : undefined
        }
      />
    </PlayerProvider>
  );
}

interface ContentsProps extends ExecutionPageProps {
  readonly details: Details;
  readonly onRetry: () => void;
  readonly onCancel: ((reason: string | undefined) => Promise<unknown>) | undefined;
}

function Contents({ executionId, credential, details, onRetry, onCancel }: ContentsProps) {
  const { connection, count, summary } = usePlayerState();
  const session = useSession();
  const [selection, setSelection] = useState<Selection | null>(null);
  const select = useCallback((chosen: Selection | null) => setSelection(chosen), []);
  const name = summary.workflowName ?? details.execution?.workflow_name ?? executionId;
  const status = summary.status ?? details.execution?.status ?? null;
  useEffect(() => {
    document.title = status === null ? name : `${statusWord(status)} · ${name}`;
  }, [name, status]);

  if (connection.kind === "failed" && count === 0 && details.execution === null) {
    const { title, sentence, way } = explain(connection.error, credential.kind);
    return (
      <Message title={title} sentence={sentence} home={credential.kind === "key"}>
        {way === "sign-in" ? (
          <SignIn onSignIn={() => session.dropTicket(executionId)} />
        ) : (
          <button type="button" className="button primary" onClick={onRetry}>
            Try again
          </button>
        )}
      </Message>
    );
  }
  return (
    <div className="execution" data-status={status ?? "unknown"}>
      <Header executionId={executionId} name={name} status={status} onCancel={onCancel} />
      <Notices
        executionId={executionId}
        credential={credential}
        details={details}
        onSelect={select}
        onRetry={onRetry}
      />
      <main className="execution-main">
        <GraphPane graph={details.graph} isLoading={details.isLoading} {...{ selection, select }} />
        <DetailsPane
          executionId={executionId}
          credential={credential}
          details={details}
          selection={selection}
          select={select}
        />
        <Panels selection={selection} select={select} />
      </main>
      <Scrubber />
    </div>
  );
}
