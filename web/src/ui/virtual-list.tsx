import {
  type KeyboardEvent,
  type ReactNode,
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from "react";

interface VirtualListProps {
  readonly label: string;
  readonly count: number;
  readonly rowHeight: number;
  /** The row that is marked; -1 for none. */
  readonly selected: number;
  readonly onSelect: (index: number) => void;
  readonly renderRow: (index: number) => ReactNode;
  readonly rowKey: (index: number) => string | number;
  /** The row to keep in view as it changes; -1 for none. */
  readonly follow?: number;
}

const OVERSCAN = 6;

/** A list of which only the rows in view exist; its rows are chosen by mouse or arrow keys. */
export function VirtualList(props: VirtualListProps): ReactNode {
  const { label, count, rowHeight, selected, onSelect, renderRow, rowKey, follow = -1 } = props;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 0 });

  const measure = useCallback(() => {
    const { scrollTop = 0, clientHeight = 0 } = box.current ?? {};
    setView((before) =>
      before.top === scrollTop && before.height === clientHeight
        ? before
        : { top: scrollTop, height: clientHeight },
    );
  }, []);
  useLayoutEffect(() => {
    measure();
    const observer = new ResizeObserver(measure);
    if (box.current !== null) observer.observe(box.current);
    return () => observer.disconnect();
  }, [measure]);

  const reveal = useCallback(
    (index: number) => {
      const element = box.current;
      if (element === null || index < 0) return;
      const [top, bottom] = [index * rowHeight, (index + 1) * rowHeight];
      if (top < element.scrollTop) element.scrollTop = top;
      else if (bottom > element.scrollTop + element.clientHeight) {
        element.scrollTop = bottom - element.clientHeight;
      }
    },
    [rowHeight],
  );
  useEffect(() => reveal(follow), [follow, reveal]);

  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(view.height / rowHeight) - 1);
    const targets: Readonly<Record<string, number>> = {
      ArrowDown: selected + 1,
      ArrowUp: selected < 0 ? count - 1 : selected - 1,
      PageDown: selected + page,
      PageUp: selected - page,
      Home: 0,
      End: count - 1,
    };
    const target = targets[event.key];
    if (target === undefined || count === 0) return;
    event.preventDefault();
    const bounded = Math.min(Math.max(0, target), count - 1);
    reveal(bounded);
    onSelect(bounded);
  };

  const first = Math.max(0, Math.floor(view.top / rowHeight) - OVERSCAN);
  const last = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + OVERSCAN);
  const rows: ReactNode[] = [];
  for (let index = first; index < last; index += 1) {
    rows.push(
      // biome-ignore lint/a11y/useKeyWithClickEvents: the list itself takes the keys
      // biome-ignore lint/a11y/useFocusableInteractive: the list itself has the focus
      <div
        key={rowKey(index)}
        id={`${id}-${index}`}
        role="option"
        aria-selected={index === selected}
        aria-setsize={count}
        aria-posinset={index + 1}
        className="row"
        style={{ top: index * rowHeight, height: rowHeight }}
        onClick={() => onSelect(index)}
      >
        {renderRow(index)}
      </div>,
    );
  }
  const isActiveShown = selected >= first && selected < last;
  return (
    <div
      ref={box}
      className="virtual-list"
      role="listbox"
      aria-label={label}
      aria-activedescendant={isActiveShown ? `${id}-${selected}` : undefined}
      tabIndex={0}
      onScroll={measure}
      onKeyDown={onKeyDown}
    >
      <div className="virtual-rows" style={{ height: count * rowHeight }}>
        {rows}
      </div>
    </div>
  );
}
