import type { ReactNode } from "react";
import { Brand } from "./brand.js";
import { Link } from "./link.js";

interface MessageProps {
  readonly title: string;
  readonly sentence?: ReactNode;
  /** Whether to offer the way to the list of executions. */
  readonly home?: boolean;
  readonly children?: ReactNode;
}

/** A page that says one thing, and how to go on. */
export function Message({ title, sentence, home = false, children }: MessageProps): ReactNode {
  return (
    <main className="message">
      <div className="card">
        <Brand />
        <h1>{title}</h1>
        {sentence !== undefined && <p className="sentence">{sentence}</p>}
        {children}
        {home && (
          <p className="note">
            <Link to="/">Go to the executions</Link>
          </p>
        )}
      </div>
    </main>
  );
}
