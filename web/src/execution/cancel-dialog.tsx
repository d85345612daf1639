import { InsufficientScope } from "@flowmaestro/sdk";
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { explain } from "../session/failures.js";

interface CancelDialogProps {
  readonly onCancel: ((reason: string | undefined) => Promise<unknown>) | undefined;
  readonly onClose: () => void;
}

export function CancelDialog({ onCancel, onClose }: CancelDialogProps): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (onCancel === undefined) return;
    setBusy(true);
    try {
      await onCancel(reason.trim() === "" ? undefined : reason.trim());
      onClose();
    } catch (error) {
      setProblem(problemOf(error as Error));
    }
    setBusy(false);
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby="cancel-title" onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id="cancel-title">Cancel this execution?</h2>
        {onCancel === undefined ? (
          <p>
            This page was opened with a link, which can watch and nothing else. Sign in with an API
            key that has the scope <code>executions:cancel</code> to cancel.
          </p>
        ) : (
          <>
            <p>Steps that run are stopped, and no other begins. It cannot be taken back.</p>
            <label>
              Reason, for those who watch
              <input
                value={reason}
                maxLength={1000}
                placeholder="optional"
                onChange={(event) => setReason(event.target.value)}
              />
            </label>
          </>
        )}
        {problem !== null && (
          <p className="bad" role="alert">
            {problem}
          </p>
        )}
        <div className="dialog-buttons">
          <button type="button" className="button" onClick={() => dialog.current?.close()}>
            {onCancel === undefined ? "Close" : "Keep it running"}
          </button>
          {onCancel !== undefined && (
            <button type="submit" className="button danger" disabled={isBusy}>
              Cancel the execution
            </button>
          )}
        </div>
      </form>
    </dialog>
  );
}

function problemOf(error: Error): string {
  if (error instanceof InsufficientScope) {
    return "This key may not cancel: it lacks the scope executions:cancel. Sign in with one that has it.";
  }
  const { title, sentence } = explain(error, "key");
  return `${title}. ${sentence}`;
}
