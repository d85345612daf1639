import {
  AuthenticationError,
  ConfigurationError,
  FlowMaestroError,
  InsufficientScope,
} from "@flowmaestro/sdk";
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { explain } from "./failures.js";
import { useSession } from "./hooks.js";
import { newClient } from "./session.js";

interface SignInProps {
  /** Called when the key has been found good, before it is used. */
  readonly onSignIn?: () => void;
}

/** Asks for an API key, and keeps it in the tab once the server knows it. */
export function SignIn({ onSignIn }: SignInProps): ReactNode {
  const session = useSession();
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const id = useId();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(await problemOf(key.trim()));
    setBusy(false);
  };
  const problemOf = async (given: string): Promise<string | null> => {
    if (given === "") return "Enter a key.";
    try {
      await newClient({ kind: "key", key: given }).executions.list({ perPage: 1 });
    } catch (error) {
      if (error instanceof ConfigurationError) return "That is no API key.";
      if (error instanceof AuthenticationError || error instanceof InsufficientScope) {
        return `${explain(error, "key").title}.`;
      }
      if (error instanceof FlowMaestroError) return `${explain(error, "key").title}.`;
      throw error;
    }
    onSignIn?.();
    session.signIn(given);
    return null;
  };

  return (
    <form className="sign-in" onSubmit={submit}>
      <label htmlFor={id}>API key</label>
      <div className="sign-in-row">
        {/* Not of the type password: browsers would offer to store it. */}
        <input
          id={id}
          className="masked"
          type="text"
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          placeholder="fm_live_…"
          value={key}
          aria-invalid={problem !== null}
          aria-describedby={`${id}-note`}
          onChange={(event) => setKey(event.target.value)}
        />
        <button type="submit" className="button primary" disabled={isBusy}>
          {isBusy ? "Checking…" : "Sign in"}
        </button>
      </div>
      <p id={`${id}-note`} className="note" role={problem === null ? undefined : "alert"}>
        {problem === null ? (
          <>
            It stays in this tab until you close it. <code>flowmaestro keys create</code> makes one.
          </>
        ) : (
          <span className="bad">{problem}</span>
        )}
      </p>
    </form>
  );
}
