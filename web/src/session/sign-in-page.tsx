import type { ReactNode } from "react";
import { Message } from "../ui/message.js";
import { SignIn } from "./sign-in.js";

export function SignInPage({ executionId }: { executionId: string | null }): ReactNode {
  const sentence =
    executionId === null ? (
      "Sign in to see the executions of your workspace, and to watch them live."
    ) : (
      <>
        Sign in to watch <code>{executionId}</code>, or open a link that was made for it.
      </>
    );
  return (
    <Message title="Watch your workflows run" sentence={sentence}>
      <SignIn />
    </Message>
  );
}
