import { readFileSync } from "node:fs";

/** Returns a file of `protocol/vectors/`, which every implementation of the protocol runs. */
export function vectors<Content>(name: string): Content {
  const url = new URL(`../../../../protocol/vectors/${name}`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as Content;
}
