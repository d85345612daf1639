import { test as base } from "vitest";
import { FlowMaestroClient, type FlowMaestroClientOptions } from "../../src/index.js";
import type { StreamOptions } from "../../src/streaming/stream-options.js";
import { frames, LOG, opening } from "../support/recorded-events.js";
import {
  response,
  type Script,
  type ScriptedAnswer,
  ScriptedServer,
  stream,
} from "../support/scripted-server.js";

export const KEY = "fm_test_0123456789";
export const EXECUTION_ID = "exec_01jx";

/** A stream of the events after the cursor. */
export function whole(after = 0, options: { chunked?: boolean } = {}): ScriptedAnswer {
  return stream([opening(), ...frames(after)], options);
}

/** Answers as a healthy server: what is after the cursor, 204 at the end. */
export const resuming: Script = ({ headers, query }) => {
  const cursor = Number(headers["last-event-id"] ?? query.last_event_id ?? 0);
  return cursor < LOG.length ? whole(cursor) : response(204);
};

/** A stream of two events that says no more. */
export const OPEN_ENDED = whole().stalledBefore(3);

export function clientOf(
  server: ScriptedServer | string,
  options: FlowMaestroClientOptions = {},
): FlowMaestroClient {
  return new FlowMaestroClient({
    apiKey: KEY,
    baseUrl: typeof server === "string" ? server : server.url,
    backoff: { baseMs: 1, maxMs: 5 },
    ...options,
  });
}

/** Follows the execution of the scripts to its end, and returns the numbers of its events. */
export async function follow(
  client: FlowMaestroClient,
  options: StreamOptions = {},
): Promise<number[]> {
  const numbers: number[] = [];
  for await (const event of client.executions.streamIterator(EXECUTION_ID, options)) {
    numbers.push(event.number);
  }
  return numbers;
}

/** `serve(script)` starts a scripted server, which stops at the end of the test. */
export const test = base.extend<{
  serve: (script: Script | ScriptedAnswer) => Promise<ScriptedServer>;
}>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the dependencies off the pattern
  serve: async ({}, use) => {
    const servers: ScriptedServer[] = [];
    await use(async (script) => {
      const server = await ScriptedServer.start(script);
      servers.push(server);
      return server;
    });
    await Promise.all(servers.map((server) => server.stop()));
  },
});
