/**
 * The fenced blocks of a documentation page:
 *
 * - `ts`: run, all of a page in order as one module; `text output` after it is what it prints, where
 *   `…` stands for anything;
 * - `typescript`, `tsx`: compiled, each as a module of its own.
 */

import { readFileSync } from "node:fs";

export interface Block {
  readonly info: string;
  readonly line: number;
  readonly text: string;
}

export function blocksOf(page: URL): Block[] {
  const text = readFileSync(page, "utf8");
  return [...text.matchAll(/^```(\S[^\n]*)\n(.*?)^```$/gms)].map((match) => ({
    info: match[1] ?? "",
    line: text.slice(0, match.index).split("\n").length,
    text: match[2] ?? "",
  }));
}

/** The text under a heading of the second level. */
export function section(page: URL, heading: string): string {
  const text = readFileSync(page, "utf8");
  return text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
}

/** Whether `printed` is what `shown` shows. */
export function matches(shown: string, printed: string): boolean {
  const parts = shown.trim().split("…");
  const escaped = parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${escaped.join("[^]*")}$`).test(printed.trim());
}
