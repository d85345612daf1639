import { type ReactNode, useEffect, useState } from "react";

const SHOWN_MS = 1_500;

/** Copies a text; browsers allow that only on a page whose connection is safe. */
export function CopyButton({ text, label }: { text: () => string; label: string }): ReactNode {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    if (!isDone) return;
    const timer = setTimeout(() => setDone(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isDone]);
  if (!window.isSecureContext) return null;
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setDone(true);
    } catch {
      setDone(false); // the reader's browser forbids it
    }
  };
  return (
    <button type="button" className="link quiet" onClick={copy} aria-label={label} title={label}>
      {isDone ? "Copied" : "Copy"}
    </button>
  );
}
