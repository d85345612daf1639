/** Which page an address shows. */

import { useSyncExternalStore } from "react";

export type Route =
  | { readonly page: "home"; readonly workflowId: string | null }
  | { readonly page: "execution"; readonly executionId: string }
  | { readonly page: "unknown" };

export function routeOf(pathname: string, search: string): Route {
  if (pathname === "/") {
    return { page: "home", workflowId: new URLSearchParams(search).get("workflow") };
  }
  const executionId = /^\/executions\/([^/]+)\/?$/.exec(pathname)?.[1];
  if (executionId === undefined) return { page: "unknown" };
  return { page: "execution", executionId: decoded(executionId) };
}

export function executionPath(executionId: string): string {
  return `/executions/${encodeURIComponent(executionId)}`;
}

const listeners = new Set<() => void>();

/** Goes to another page of this site. */
export function navigate(path: string): void {
  window.history.pushState(null, "", path);
  window.scrollTo(0, 0);
  for (const listener of listeners) listener();
}

/** The address without its fragment. */
export function useLocation(): string {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      window.addEventListener("popstate", listener);
      return () => {
        listeners.delete(listener);
        window.removeEventListener("popstate", listener);
      };
    },
    () => window.location.pathname + window.location.search,
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
