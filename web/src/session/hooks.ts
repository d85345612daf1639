import { createContext, useContext, useSyncExternalStore } from "react";
import type { Credential, Session } from "./session.js";

const SessionContext = createContext<Session | null>(null);

export const SessionProvider = SessionContext.Provider;

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("There is no session around this component.");
  return session;
}

/** What opens an execution, or with `null` everything else. */
export function useCredential(executionId: string | null): Credential | null {
  const session = useSession();
  return useSyncExternalStore(session.subscribe, () => session.credential(executionId));
}
