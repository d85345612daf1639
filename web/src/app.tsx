import type { ReactNode } from "react";
import { ExecutionPage } from "./execution/execution-page.js";
import { HomePage } from "./home/home-page.js";
import { routeOf, useLocation } from "./router.js";
import { useCredential } from "./session/hooks.js";
import { SignInPage } from "./session/sign-in-page.js";
import { Message } from "./ui/message.js";

export function App(): ReactNode {
  const [pathname = "/", search = ""] = useLocation().split(/(?=\?)/);
  const route = routeOf(pathname, search);
  const executionId = route.page === "execution" ? route.executionId : null;
  const credential = useCredential(executionId);
  if (route.page === "unknown") {
    return <Message title="Not found" sentence="There is no such page." home />;
  }
  if (credential === null) return <SignInPage executionId={executionId} />;
  if (route.page === "home") {
    // A ticket opens one execution, so here it is a key.
    return credential.kind === "key" ? (
      <HomePage key={credential.key} credential={credential} workflowId={route.workflowId} />
    ) : null;
  }
  return (
    <ExecutionPage
      key={route.executionId}
      executionId={route.executionId}
      credential={credential}
    />
  );
}
