/** Streams that are opened with a ticket, against a server that knows which ones are good. */

import { expect } from "vitest";
import { InvalidAPIKey } from "../../src/index.js";
import { LOG, NUMBERS } from "../support/recorded-events.js";
import { failure, type Script, type ScriptedAnswer } from "../support/scripted-server.js";
import { clientOf, follow, resuming, test, whole } from "./fixtures.js";

/** Cuts each stream after one event, and takes each ticket `uses` times. */
function expiring(uses: number): Script {
  const used = new Map<string, number>();
  return (request): ScriptedAnswer => {
    const ticket = request.query.ticket ?? "";
    const count = (used.get(ticket) ?? 0) + 1;
    used.set(ticket, count);
    if (!ticket.startsWith("good") || count > uses) return failure(401, "invalid_api_key");
    const cursor = Number(request.query.last_event_id ?? 0);
    const answer = resuming(request);
    const length = whole(cursor)
      .pieces.slice(0, 3)
      .reduce((sum, piece) => sum + piece.length, 0);
    return cursor < LOG.length ? answer.cut(length) : answer;
  };
}

function source() {
  let fetched = 0;
  return { ticket: async () => `good-${++fetched}`, fetched: () => fetched };
}

test("a ticket takes the key's place, and the cursor goes into the address", async ({ serve }) => {
  const server = await serve(expiring(99));
  const ticket = "good&?1";
  expect(await follow(clientOf(server), { ticket, types: ["node:log"] })).toEqual(NUMBERS);
  const { headers, query } = server.requests[2] ?? {};
  expect(query).toEqual({ ticket, last_event_id: "2", types: "node:log" });
  expect(headers).not.toHaveProperty("x-api-key");
  expect(headers).not.toHaveProperty("last-event-id");
});

test("one that has expired is renewed, and the stream goes on from its cursor", async ({
  serve,
}) => {
  const server = await serve(expiring(2));
  const { ticket, fetched } = source();
  expect(await follow(clientOf(server, { apiKey: null }), { ticket })).toEqual(NUMBERS);
  expect(fetched()).toBe(2);
});

test("a text that has expired ends it", async ({ serve }) => {
  const server = await serve(expiring(1));
  await expect(follow(clientOf(server), { ticket: "good" })).rejects.toThrow(InvalidAPIKey);
});

test("a new ticket that is refused, too, ends it", async ({ serve }) => {
  const server = await serve(expiring(0));
  const { ticket, fetched } = source();
  await expect(follow(clientOf(server), { ticket })).rejects.toThrow(InvalidAPIKey);
  expect(fetched()).toBe(2);
});

test("what the source throws ends it", async ({ serve }) => {
  const server = await serve(expiring(1));
  const mine = new Error("signed out");
  const ticket = () => Promise.reject(mine);
  await expect(follow(clientOf(server), { ticket })).rejects.toBe(mine);
  expect(server.requests).toEqual([]);
});

test("no error shows a ticket", async ({ serve }) => {
  const server = await serve(expiring(0));
  const error = await follow(clientOf(server), { ticket: "s3cret" }).catch((e: Error) => e);
  expect(JSON.stringify(error) + String(error)).not.toContain("s3cret");
});
