/** The SDK against a real server. */

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  EXTENSION_TYPES,
  FlowMaestroClient,
  InvalidAPIKey,
  type Reconnecting,
  ResourceNotFound,
  type StreamEvent,
  ValidationError,
} from "../../src/index.js";
import { FlowMaestroServer } from "../support/flowmaestro-server.js";

const GREETING = {
  id: "greeting",
  name: "Greeting",
  nodes: {
    name: { type: "input", config: { input_name: "name", required: true } },
    pause: { type: "wait", config: { duration_ms: "{{ pause_ms | default(1) }}" } },
    out: { type: "output", config: { output_name: "text", value: "Hello, {{ name }}!" } },
  },
  edges: [
    { source: "name", target: "pause" },
    { source: "pause", target: "out" },
  ],
};

/** One short wait after the other: long enough to stop a server in its middle. */
const SLOW = {
  id: "slow",
  name: "Slow",
  nodes: {
    each: {
      type: "loop",
      config: {
        items: "{{ items }}",
        max_concurrency: 1,
        body: { nodes: { nap: { type: "wait", config: { duration_ms: 40 } } } },
      },
    },
  },
};

let server: FlowMaestroServer;
let client: FlowMaestroClient;

beforeAll(async () => {
  server = await FlowMaestroServer.start();
  client = new FlowMaestroClient({ apiKey: server.key, baseUrl: server.baseUrl });
  await client.workflows.create(GREETING);
  await client.workflows.create(SLOW);
});
afterAll(() => server.stop());

async function greet(inputs: Record<string, unknown> = {}): Promise<string> {
  const started = await client.workflows.execute("greeting", { name: "Ada", ...inputs });
  return started.execution_id;
}

async function collect(stream: AsyncIterable<StreamEvent>): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

describe("a stream", () => {
  test("follows an execution from its first event to its last", async () => {
    const id = await greet();
    const events = await collect(client.executions.streamIterator(id));
    expect(events.map((event) => event.type)).toEqual([
      "execution:started",
      ...["input", "wait", "output"].flatMap(() => [
        "node:started",
        "node:completed",
        "execution:progress",
      ]),
      "execution:completed",
    ]);
    expect(events.map((event) => event.number)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)).toMatchObject({ outputs: { text: "Hello, Ada!" } });
  });

  test("goes on from any cursor", async () => {
    const id = await greet();
    const events = await collect(client.executions.streamIterator(id));
    for (let lastEventId = 0; lastEventId <= events.length; lastEventId++) {
      const rest = await collect(client.executions.streamIterator(id, { lastEventId }));
      expect(rest).toEqual(events.slice(lastEventId));
    }
  });

  test("leaves out what was not asked for", async () => {
    const id = await greet();
    const types = ["node:completed"];
    const events = await collect(client.executions.streamIterator(id, { types }));
    expect(events.map((event) => event.type)).toEqual([
      ...Array(3).fill("node:completed"),
      "execution:completed",
    ]);
  });

  test("ends with a cancelled execution", async () => {
    const id = await greet({ pause_ms: 60_000 });
    const following = collect(client.executions.streamIterator(id));
    expect(await client.executions.cancel(id, { reason: "not needed" })).toMatchObject({ id });
    expect((await following).at(-1)).toMatchObject({
      type: "execution:cancelled",
      reason: "not needed",
    });
  });
});

describe("a server that goes away in the middle", () => {
  test.each(["kill", "terminate"] as const)("by %s loses and doubles nothing", async (end) => {
    const items = Array.from({ length: 30 }, (_, index) => index);
    const { execution_id: id } = await client.workflows.execute("slow", { items });
    const told: Reconnecting[] = [];
    const options = {
      include: EXTENSION_TYPES,
      onReconnect: (notice: Reconnecting) => told.push(notice),
    };
    const events: StreamEvent[] = [];
    let restarting: Promise<void> | undefined;
    for await (const event of client.executions.streamIterator(id, options)) {
      events.push(event);
      if (event.number === 20) restarting = server[end]().then(() => server.launch());
    }
    await restarting;
    expect(told.length).toBeGreaterThan(0);
    // Nothing is filtered, so there is no gap.
    expect(events.map((event) => event.number)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)?.type).toBe("execution:completed");
    expect(
      await collect(client.executions.streamIterator(id, { include: EXTENSION_TYPES })),
    ).toEqual(events);
    const completed = events.filter((event) => event.type === "node:completed");
    expect(completed).toHaveLength(items.length + 1);
  });
});

describe("a ticket", () => {
  test("opens the stream of its execution without a key", async () => {
    const id = await greet();
    const { ticket, expires_at, events_url } = await client.executions.createTicket(id);
    expect(events_url).toBe(`/api/v1/executions/${id}/events?ticket=${ticket}`);
    expect(Date.parse(expires_at)).toBeGreaterThan(Date.now());
    const page = new FlowMaestroClient({ apiKey: null, baseUrl: server.baseUrl });
    const events = await collect(page.executions.streamIterator(id, { ticket }));
    expect(events).toEqual(await collect(client.executions.streamIterator(id)));
  });

  test("that has expired is renewed by its source", async () => {
    const id = await greet();
    const expired = await client.executions.createTicket(id, { ttlSeconds: 1 });
    await vi.waitUntil(() => Date.now() > Date.parse(expired.expires_at), 10_000);
    const tickets = [expired, await client.executions.createTicket(id)];
    const told: Reconnecting[] = [];
    const page = new FlowMaestroClient({ apiKey: null, baseUrl: server.baseUrl });
    const events = page.executions.streamIterator(id, {
      ticket: () => tickets.shift()?.ticket ?? "",
      onReconnect: (notice) => told.push(notice),
    });
    expect((await collect(events)).at(-1)?.type).toBe("execution:completed");
    expect(told.map(({ reason }) => reason.name)).toEqual(["ExpiredAPIKey"]);
  });

  test("of another execution is told whose it is", async () => {
    const [mine, other] = [await greet(), await greet()];
    const { ticket } = await client.executions.createTicket(other);
    const following = collect(client.executions.streamIterator(mine, { ticket }));
    await expect(following).rejects.toThrow(`This ticket opens the events of ${other}`);
  });

  test("is not given for an execution that does not exist, or for a day", async () => {
    await expect(client.executions.createTicket("exec_nothing")).rejects.toThrow(ResourceNotFound);
    const tooLong = client.executions.createTicket(await greet(), { ttlSeconds: 86_400 });
    await expect(tooLong).rejects.toThrow(ValidationError);
  });
});

describe("requests", () => {
  test("waitForCompletion returns the execution", async () => {
    const execution = await client.executions.waitForCompletion(await greet({ pause_ms: 50 }));
    expect(execution).toMatchObject({ status: "completed", outputs: { text: "Hello, Ada!" } });
  });

  test("the same idempotency key starts one execution", async () => {
    const execute = () =>
      client.workflows.execute("greeting", { name: "Ada" }, { idempotencyKey: "order-17" });
    const [first, second] = [await execute(), await execute()];
    expect(second).toEqual(first);
  });

  test("a workflow is created, read, replaced, listed and deleted", async () => {
    const created = await client.workflows.create({ ...GREETING, id: "mine" });
    expect(created).toMatchObject({ id: "mine", version: 1 });
    expect((await client.workflows.get("mine")).definition).toMatchObject({ name: "Greeting" });
    expect(await client.workflows.update("mine", { ...GREETING, id: "mine" })).toMatchObject({
      version: 2,
    });
    const ids = [];
    for await (const { id } of await client.workflows.list({ perPage: 1 })) ids.push(id);
    expect(ids.sort()).toEqual(["greeting", "mine", "slow"]);
    await client.workflows.delete("mine");
    await expect(client.workflows.get("mine")).rejects.toThrow(ResourceNotFound);
  });

  test("executions are listed", async () => {
    const id = await greet();
    await client.executions.waitForCompletion(id);
    const page = await client.executions.list({ workflowId: "greeting", status: "completed" });
    expect(page.items[0]).toMatchObject({ id, workflow_name: "Greeting" });
    expect(page.pagination.page).toBe(1);
  });
});

describe("errors", () => {
  test("a definition that is wrong", async () => {
    const creating = client.workflows.create({ name: "Broken", nodes: { a: { type: "http" } } });
    const error = await creating.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({
      status: 400,
      details: { problems: [{ path: "nodes.a.config.url" }] },
      requestId: expect.stringMatching(/^req_/),
    });
  });

  test("an execution that does not exist", async () => {
    const following = collect(client.executions.streamIterator("exec_nothing"));
    await expect(following).rejects.toThrow(ResourceNotFound);
  });

  test("a cursor past the end of a log that goes on", async () => {
    const id = await greet({ pause_ms: 60_000 });
    const following = collect(client.executions.streamIterator(id, { lastEventId: 999 }));
    await expect(following).rejects.toThrow(ValidationError);
    await client.executions.cancel(id);
  });

  test("a key that does not exist", async () => {
    const stranger = new FlowMaestroClient({ apiKey: "fm_test_no", baseUrl: server.baseUrl });
    await expect(stranger.workflows.list()).rejects.toThrow(InvalidAPIKey);
  });
});
