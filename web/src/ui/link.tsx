import type { MouseEvent, ReactNode } from "react";
import { navigate } from "../router.js";

interface LinkProps {
  readonly to: string;
  readonly className?: string;
  readonly current?: boolean;
  readonly children: ReactNode;
}

/** A link inside of this site: it loads nothing, except in a new tab. */
export function Link({ to, className, current = false, children }: LinkProps): ReactNode {
  const onClick = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a
      href={to}
      className={className}
      aria-current={current ? "true" : undefined}
      onClick={onClick}
    >
      {children}
    </a>
  );
}
