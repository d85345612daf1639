import type { ReactNode } from "react";
import { Link } from "./link.js";

export function Brand(): ReactNode {
  return (
    <Link to="/" className="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" />
        <path d="M9 16h6m0 0c4 0 3-6 8-6m-8 6c4 0 3 6 8 6" />
        <circle cx="8.5" cy="16" r="3" />
        <circle cx="23.5" cy="10" r="3" />
        <circle cx="23.5" cy="22" r="3" />
      </svg>
      <span>FlowMaestro</span>
    </Link>
  );
}
