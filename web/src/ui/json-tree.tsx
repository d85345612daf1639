import { type ReactNode, useMemo, useState } from "react";
import { formatSize } from "./format.js";

const CHUNK = 100;
const MAX_TEXT = 400;
/** Texts longer than this are cut even when shown whole: the browser would lay them out for seconds. */
const MAX_SHOWN_TEXT = 200_000;
const OPEN_ENTRIES = 12;

interface JsonTreeProps {
  readonly value: unknown;
  /** What it is, for those who hear the page. */
  readonly label: string;
}

/** JSON as a tree whose objects and lists fold. Everything in it is text. */
export function JsonTree({ value, label }: JsonTreeProps): ReactNode {
  return (
    <section className="json" aria-label={label}>
      <Value value={value} depth={0} />
    </section>
  );
}

function Value({ value, depth }: { value: unknown; depth: number }): ReactNode {
  if (typeof value === "object" && value !== null) return <Branch value={value} depth={depth} />;
  if (typeof value === "string") return <Text value={value} />;
  return <span className={`json-${value === null ? "null" : typeof value}`}>{String(value)}</span>;
}

function Branch({ value, depth }: { value: object; depth: number }): ReactNode {
  const isList = Array.isArray(value);
  const entries = useMemo(() => Object.entries(value), [value]);
  const [isOpen, setOpen] = useState(
    depth === 0 || (depth === 1 && entries.length <= OPEN_ENTRIES),
  );
  const [shown, setShown] = useState(CHUNK);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return <span className="json-mark">{open + close}</span>;
  const size = isList
    ? `${entries.length} ${entries.length === 1 ? "item" : "items"}`
    : `${entries.length} ${entries.length === 1 ? "field" : "fields"}`;
  return (
    <>
      <button
        type="button"
        className="json-fold"
        aria-expanded={isOpen}
        aria-label={`${size}, ${isOpen ? "fold" : "unfold"}`}
        onClick={() => setOpen(!isOpen)}
      >
        <span className="json-mark">{isOpen ? open : `${open}…${close}`}</span>
        {!isOpen && <span className="json-size">{size}</span>}
      </button>
      {isOpen && (
        <>
          <ul className="json-entries">
            {entries.slice(0, shown).map(([name, entry]) => (
              <li key={name}>
                <span className={isList ? "json-index" : "json-name"}>{name}</span>
                <span className="json-mark">: </span>
                <Value value={entry} depth={depth + 1} />
              </li>
            ))}
            {entries.length > shown && (
              <li>
                <button type="button" className="link" onClick={() => setShown(shown + CHUNK)}>
                  {Math.min(CHUNK, entries.length - shown)} more of {entries.length}
                </button>
              </li>
            )}
          </ul>
          <span className="json-mark">{close}</span>
        </>
      )}
    </>
  );
}

function Text({ value }: { value: string }): ReactNode {
  const [isWhole, setWhole] = useState(false);
  if (value.length <= MAX_TEXT) return <span className="json-string">{JSON.stringify(value)}</span>;
  const shown = value.slice(0, isWhole ? MAX_SHOWN_TEXT : MAX_TEXT);
  return (
    <>
      <span className="json-string">"{shown}…"</span>{" "}
      {isWhole ? (
        <span className="json-size">
          {value.length > MAX_SHOWN_TEXT ? `the first of ${formatSize(value.length)}` : ""}
        </span>
      ) : (
        <button type="button" className="link" onClick={() => setWhole(true)}>
          show {formatSize(value.length)}
        </button>
      )}
    </>
  );
}
