import type { ReactNode } from "react";
import { usePlayer, usePlayerState } from "../recording/hooks.js";
import { explain } from "../session/failures.js";
import { useSession } from "../session/hooks.js";
import type { Credential } from "../session/session.js";
import { SignIn } from "../session/sign-in.js";
import type { Select } from "./selection.js";
import type { Details } from "./use-details.js";

interface NoticesProps {
  readonly executionId: string;
  readonly credential: Credential;
  readonly details: Details;
  readonly onSelect: Select;
  readonly onRetry: () => void;
}

/** What the reader must know before all else: why it failed, and why the page cannot go on. */
export function Notices(props: NoticesProps): ReactNode {
  const { executionId, credential, details, onSelect, onRetry } = props;
  const { connection, summary, trimmedThrough } = usePlayerState();
  const session = useSession();
  const player = usePlayer();
  const { execution } = details;
  const error = summary.error ?? (summary.status === null ? execution?.error : null);
  const failedNodeId =
    summary.failedNodeId ?? (summary.status === null ? execution?.error_details?.node_id : null);
  return (
    <div className="notices">
      {error != null && (
        <div className="notice is-bad" role="alert">
          <p>
            {failedNodeId != null && (
              <>
                <button
                  type="button"
                  className="link strong"
                  onClick={() => onSelect({ kind: "node", id: failedNodeId })}
                >
                  {player.node(failedNodeId)?.name ?? failedNodeId}
                </button>{" "}
                failed:{" "}
              </>
            )}
            <span className="notice-text">{error}</span>
          </p>
        </div>
      )}
      {summary.status === "cancelled" && (
        <div className="notice is-warn">
          <p>
            Cancelled: <span className="notice-text">{summary.reason}</span>
          </p>
        </div>
      )}
      {connection.kind === "failed" && (
        <Failure
          error={connection.error}
          credential={credential}
          onRetry={onRetry}
          onSignIn={() => session.dropTicket(executionId)}
        />
      )}
      {connection.kind === "reconnecting" && (
        <div className="notice is-warn">
          <p>
            The server cannot be reached. Nothing is lost: the page goes on from where it is as soon
            as the server answers.
          </p>
        </div>
      )}
      {trimmedThrough > 0 && (
        <div className="notice">
          <p>The first {trimmedThrough} events are no longer kept; what they said is not shown.</p>
        </div>
      )}
    </div>
  );
}

interface FailureProps {
  readonly error: Error;
  readonly credential: Credential;
  readonly onRetry: () => void;
  readonly onSignIn: () => void;
}

function Failure({ error, credential, onRetry, onSignIn }: FailureProps): ReactNode {
  const { title, sentence, way } = explain(error, credential.kind);
  return (
    <div className="notice is-warn" role="alert">
      <p>
        <b>{title}.</b> {sentence} What has come so far stays.
      </p>
      {way === "sign-in" && <SignIn onSignIn={onSignIn} />}
      {way === "retry" && (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
