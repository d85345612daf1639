import { type KeyboardEvent, type ReactNode, useState } from "react";
import { useMedia } from "../ui/use-media.js";
import { EventsPane } from "./events-pane.js";
import type { Select, Selection } from "./selection.js";
import { TimelinePane } from "./timeline-pane.js";

interface PanelsProps {
  readonly selection: Selection | null;
  readonly select: Select;
}

const TABS = [
  { name: "timeline", label: "Timeline", Pane: TimelinePane },
  { name: "events", label: "Events", Pane: EventsPane },
] as const;
/** Where both have room; the style sheet says the same. */
const WIDE = "(min-width: 1800px)";

/** The timeline and the events: side by side where there is room, else one of them. */
export function Panels({ selection, select }: PanelsProps): ReactNode {
  const [shown, setShown] = useState<string>("timeline");
  const isWide = useMedia(WIDE);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = TABS.find(({ name }) => name !== shown);
    if (other === undefined) return;
    setShown(other.name);
    document.getElementById(`tab-${other.name}`)?.focus();
  };
  return (
    <section className="panels" aria-label="Timeline and events">
      <div className="tabs" role="tablist" aria-label="Timeline and events" onKeyDown={onKeyDown}>
        {TABS.map(({ name, label }) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={shown === name}
            aria-controls={`panel-${name}`}
            tabIndex={shown === name ? 0 : -1}
            onClick={() => setShown(name)}
          >
            {label}
          </button>
        ))}
      </div>
      {TABS.filter(({ name }) => isWide || name === shown).map(({ name, label, Pane }) => (
        <div
          key={name}
          id={`panel-${name}`}
          className={`panel panel-${name}`}
          role="tabpanel"
          aria-label={label}
        >
          <Pane selection={selection} select={select} />
        </div>
      ))}
    </section>
  );
}
