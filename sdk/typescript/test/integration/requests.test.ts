/** Plain requests over real sockets. */

import { describe, expect } from "vitest";
import {
  APIError,
  ConfigurationError,
  ConnectionFailed,
  CursorExpired,
  DeadlineExceeded,
  type Execution,
  InternalServerError,
  RequestTimeout,
  ResourceNotFound,
  UnexpectedResponse,
} from "../../src/index.js";
import { frames, opening } from "../support/recorded-events.js";
import {
  failure,
  first,
  inOrder,
  response,
  type Script,
  ScriptedAnswer,
  stream,
  success,
  unusedUrl,
} from "../support/scripted-server.js";
import { clientOf, EXECUTION_ID, KEY, test } from "./fixtures.js";

const WORKFLOW = { id: "wf_1", name: "Greet", version: 1 };
const EXECUTION: Execution = {
  id: EXECUTION_ID,
  workflow_id: "wf_1",
  workflow_name: "Greet",
  status: "completed",
  inputs: {},
  outputs: { text: "Grüße" },
  error: null,
  error_details: null,
  created_at: "2026-01-02T03:04:05.678Z",
  started_at: "2026-01-02T03:04:05.678Z",
  completed_at: "2026-01-02T03:04:06.178Z",
  duration_ms: 500,
};
const ACCEPTED = {
  execution_id: EXECUTION_ID,
  workflow_id: "wf_1",
  status: "pending",
  inputs: {},
  events_url: `/api/v1/executions/${EXECUTION_ID}/events`,
};
const TICKET = {
  ticket: "t.1",
  expires_at: "2026-01-02T03:09:05.678Z",
  events_url: ACCEPTED.events_url,
};

function page(items: readonly object[], number: number, pages: number): ScriptedAnswer {
  const pagination = { page: number, per_page: 1, total_pages: pages, has_next: number < pages };
  return success(items, 200, { pagination });
}

describe("what is sent", () => {
  test.for([
    ["GET", "/workflows", success([], 200, { pagination: { page: 2 } })],
    ["GET", "/workflows/a%2Fb", success(WORKFLOW)],
    ["POST", "/workflows", success(WORKFLOW, 201)],
    ["PUT", "/workflows/wf_1", success(WORKFLOW)],
    ["DELETE", "/workflows/wf_1", response(204)],
    ["POST", "/workflows/wf_1/execute", success(ACCEPTED, 202)],
    ["GET", "/executions", success([], 200, { pagination: { page: 1 } })],
    ["GET", "/executions/exec_01jx", success(EXECUTION)],
    ["POST", "/executions/exec_01jx/cancel", success(EXECUTION)],
    ["POST", "/executions/exec_01jx/tickets", success(TICKET, 201)],
  ] as const)("%s %s", async ([method, path, answer], { serve }) => {
    const server = await serve(answer);
    const { workflows, executions } = clientOf(server, { headers: { "X-Tenant": "a" } });
    const calls: Record<string, () => Promise<unknown>> = {
      "GET /workflows": () => workflows.list({ page: 2, perPage: 5 }),
      "GET /workflows/a%2Fb": () => workflows.get("a/b"),
      "POST /workflows": () => workflows.create({ name: "Greet" }, { id: "wf_1" }),
      "PUT /workflows/wf_1": () => workflows.update("wf_1", { name: "Greet" }),
      "DELETE /workflows/wf_1": () => workflows.delete("wf_1"),
      "POST /workflows/wf_1/execute": () => workflows.execute("wf_1", { name: "Ada" }),
      "GET /executions": () => executions.list({ workflowId: "wf_1", status: "failed" }),
      "GET /executions/exec_01jx": () => executions.get(EXECUTION_ID),
      "POST /executions/exec_01jx/cancel": () => executions.cancel(EXECUTION_ID, { reason: "no" }),
      "POST /executions/exec_01jx/tickets": () =>
        executions.createTicket(EXECUTION_ID, { ttlSeconds: 60 }),
    };
    await calls[`${method} ${path}`]?.();
    expect(server.requests).toHaveLength(1);
    const [request] = server.requests;
    expect(request).toMatchObject({ method, path: `/api/v1${path}` });
    expect(request?.headers).toMatchObject({ "x-api-key": KEY, "x-tenant": "a" });
    expect({ query: request?.query, body: request?.body }).toMatchSnapshot();
  });

  test("an execution has an idempotency key, the caller's or one of its own", async ({ serve }) => {
    const server = await serve(success(ACCEPTED, 202));
    const { workflows } = clientOf(server);
    await workflows.execute("wf_1", {}, { idempotencyKey: "order-17" });
    await workflows.execute("wf_1");
    await workflows.execute("wf_1");
    const keys = server.requests.map(({ headers }) => headers["idempotency-key"]);
    expect(keys[0]).toBe("order-17");
    expect(keys[1]).toMatch(/^sdk-[0-9a-f]{32}$/);
    expect(keys[2]).not.toBe(keys[1]);
  });

  test("no key is sent by a client without one", async ({ serve }) => {
    const server = await serve(success(EXECUTION));
    await clientOf(server, { apiKey: null }).executions.get(EXECUTION_ID);
    expect(server.requests[0]?.headers).not.toHaveProperty("x-api-key");
  });

  test.for(["", ".", "..", " "])("an id %j is refused before anything is sent", async (id) => {
    const { executions } = clientOf("http://127.0.0.1:9");
    await expect(executions.get(id)).rejects.toThrow(ConfigurationError);
    expect(() => executions.streamIterator(id)).toThrow(ConfigurationError);
  });

  test("a body that is no JSON is refused", async () => {
    const { workflows } = clientOf("http://127.0.0.1:9");
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    await expect(workflows.execute("wf_1", circular)).rejects.toThrow(ConfigurationError);
  });
});

describe("what comes back", () => {
  test("a resource is as the server wrote it", async ({ serve }) => {
    const server = await serve(success({ ...EXECUTION, region: "eu" }));
    const execution = await clientOf(server).executions.get(EXECUTION_ID);
    expect(execution).toEqual({ ...EXECUTION, region: "eu" });
  });

  test("a ticket", async ({ serve }) => {
    const server = await serve(success(TICKET, 201));
    expect(await clientOf(server).executions.createTicket(EXECUTION_ID)).toEqual(TICKET);
  });

  test("a page goes on to the later ones, and yields nothing twice", async ({ serve }) => {
    const server = await serve(({ query }) => {
      const number = Number(query.page);
      const ids = [["a", "b"], ["b", "c"], ["d"]][number - 1] ?? [];
      return page(
        ids.map((id) => ({ id })),
        number,
        3,
      );
    });
    const listed = await clientOf(server).executions.list({ workflowId: "wf_1", perPage: 2 });
    expect(listed.items.map(({ id }) => id)).toEqual(["a", "b"]);
    const ids = [];
    for await (const { id } of listed) ids.push(id);
    expect(ids).toEqual(["a", "b", "c", "d"]);
    expect(server.requests.map(({ query }) => query)).toEqual(
      ["1", "2", "3"].map((number) => ({ page: number, per_page: "2", workflow_id: "wf_1" })),
    );
  });

  test("an error has its class and fields", async ({ serve }) => {
    const server = await serve(failure(404, "resource_not_found", { message: "No such thing." }));
    const error = await clientOf(server)
      .workflows.get("a")
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ResourceNotFound);
    expect(error).toMatchObject({ message: "No such thing.", status: 404, requestId: "req_1" });
  });

  test("a web page is no answer", async ({ serve }) => {
    const server = await serve(response(200, "<html></html>", { "Content-Type": "text/html" }));
    await expect(clientOf(server).workflows.get("a")).rejects.toThrow(UnexpectedResponse);
  });
});

describe("repeating", () => {
  test("a request that broke off is sent again, with the same key", async ({ serve }) => {
    const broken = new ScriptedAnswer([Buffer.from("HTTP/1.1 202 Acc")], "reset");
    const server = await serve(inOrder(broken, failure(503, "x"), success(ACCEPTED, 202)));
    await clientOf(server).workflows.execute("wf_1");
    const keys = server.requests.map(({ headers }) => headers["idempotency-key"]);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
  });

  test("what may do more the second time is not", async ({ serve }) => {
    const server = await serve(failure(503, "service_unavailable"));
    await expect(clientOf(server).workflows.create({})).rejects.toThrow(APIError);
    await expect(clientOf(server).executions.cancel(EXECUTION_ID)).rejects.toThrow(APIError);
    expect(server.requests).toHaveLength(2);
  });

  test("maxRetries: 0 never repeats", async ({ serve }) => {
    const server = await serve(failure(503, "service_unavailable"));
    const client = clientOf(server, { maxRetries: 0 });
    await expect(client.workflows.get("a")).rejects.toThrow(APIError);
    expect(server.requests).toHaveLength(1);
  });

  test("what reached nobody is, whatever it is", async () => {
    const url = await unusedUrl();
    const error = await clientOf(url)
      .workflows.create({})
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConnectionFailed);
    expect(error).toHaveProperty("sent", false);
  });

  test("a server that is slow is given up", async ({ serve }) => {
    const server = await serve(success(EXECUTION).stalledBefore(1));
    const client = clientOf(server, { timeout: 50, maxRetries: 1 });
    await expect(client.executions.get(EXECUTION_ID)).rejects.toThrow(RequestTimeout);
    expect(server.requests).toHaveLength(2);
    await server.until(() => server.openConnections === 0);
  });

  test("a body that stops half-way is given up, too", async ({ serve }) => {
    const whole = success(EXECUTION);
    const server = await serve(whole.cut(whole.data.length - 20, "stall"));
    const client = clientOf(server, { timeout: 50, maxRetries: 0 });
    await expect(client.executions.get(EXECUTION_ID)).rejects.toThrow(RequestTimeout);
  });

  test("stops with the signal", async ({ serve }) => {
    const server = await serve(failure(503, "x", { headers: { "Retry-After": "100" } }));
    const controller = new AbortController();
    const getting = clientOf(server).workflows.get("a", { signal: controller.signal });
    await server.until(() => server.requests.length === 1);
    controller.abort();
    await expect(getting).rejects.toHaveProperty("name", "AbortError");
  });
});

describe("waitForCompletion", () => {
  const finished: Script = ({ path }) =>
    path.endsWith("/events") ? stream([opening(), frames().at(-1) ?? ""]) : success(EXECUTION);

  test("returns the execution", async ({ serve }) => {
    const server = await serve(finished);
    const execution = await clientOf(server).executions.waitForCompletion(EXECUTION_ID);
    expect(execution).toEqual(EXECUTION);
    expect(server.requests[0]?.query).toEqual({ types: "execution:completed" });
  });

  test("returns one whose log was trimmed", async ({ serve }) => {
    const server = await serve(first(failure(410, "cursor_expired"), finished));
    const execution = await clientOf(server).executions.waitForCompletion(EXECUTION_ID);
    expect(execution.status).toBe("completed");
  });

  test("does not take a trimmed log for an end", async ({ serve }) => {
    const running = success({ ...EXECUTION, status: "running" });
    const server = await serve(inOrder(failure(410, "cursor_expired"), running));
    const waiting = clientOf(server).executions.waitForCompletion(EXECUTION_ID);
    await expect(waiting).rejects.toThrow(CursorExpired);
  });

  test("has a timeout", async ({ serve }) => {
    const { executions } = clientOf(await serve(stream([opening()]).stalledBefore(1)));
    const waiting = executions.waitForCompletion(EXECUTION_ID, { timeoutMs: 100 });
    await expect(waiting).rejects.toThrow(DeadlineExceeded);
  });

  test("throws the server's errors", async ({ serve }) => {
    const server = await serve(
      inOrder(stream([opening(), frames().at(-1) ?? ""]), failure(500, "internal_error")),
    );
    const waiting = clientOf(server).executions.waitForCompletion(EXECUTION_ID);
    await expect(waiting).rejects.toThrow(InternalServerError);
  });
});
