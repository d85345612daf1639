/** The API's calls as values: what is sent, and how the answer is read. */

import { type Answer, readPage, readResource } from "../answers.js";
import { ConfigurationError } from "../errors.js";
import type { Status } from "../events/models.js";
import type {
  ExecuteResponse,
  Execution,
  JsonObject,
  Pagination,
  Ticket,
  Workflow,
} from "../models.js";

/** One request and what its answer means. */
export interface Call<Result> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below the base URL, from its slash on. */
  readonly path: string;
  readonly query?: Query;
  /** Sent as JSON; `undefined` sends no body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether sending it twice does no more than sending it once. */
  readonly repeatable: boolean;
  readonly read: (answer: Answer) => Result;
}

/** Parameters by name; those that are `undefined` are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

interface PageContent<Item> {
  readonly items: readonly Item[];
  readonly pagination: Pagination;
}

export function listWorkflows(page: number, perPage: number): Call<PageContent<Workflow>> {
  return {
    method: "GET",
    path: "/workflows",
    query: { page, per_page: perPage },
    repeatable: true,
    read: readPage<Workflow>,
  };
}

export function getWorkflow(workflowId: string): Call<Workflow> {
  return { method: "GET", path: path("workflows", workflowId), repeatable: true, read: workflow };
}

export function createWorkflow(definition: JsonObject, id: string | undefined): Call<Workflow> {
  return {
    method: "POST",
    path: "/workflows",
    body: id === undefined ? definition : { ...definition, id },
    repeatable: false,
    read: workflow,
  };
}

export function updateWorkflow(workflowId: string, definition: JsonObject): Call<Workflow> {
  return {
    method: "PUT",
    path: path("workflows", workflowId),
    body: definition,
    repeatable: true,
    read: workflow,
  };
}

export function deleteWorkflow(workflowId: string): Call<void> {
  return {
    method: "DELETE",
    path: path("workflows", workflowId),
    repeatable: true,
    read: () => undefined,
  };
}

export function executeWorkflow(
  workflowId: string,
  inputs: JsonObject,
  idempotencyKey: string,
): Call<ExecuteResponse> {
  if (!/^[ -~]+$/.test(idempotencyKey)) {
    throw new ConfigurationError("idempotencyKey must be printable ASCII text.");
  }
  return {
    method: "POST",
    path: path("workflows", workflowId, "execute"),
    body: { inputs },
    headers: { "Idempotency-Key": idempotencyKey },
    repeatable: true,
    read: (answer) => readResource<ExecuteResponse>("execution_id", answer),
  };
}

export function listExecutions(
  workflowId: string | undefined,
  status: Status | undefined,
  page: number,
  perPage: number,
): Call<PageContent<Execution>> {
  return {
    method: "GET",
    path: "/executions",
    query: { page, per_page: perPage, workflow_id: workflowId, status },
    repeatable: true,
    read: readPage<Execution>,
  };
}

export function getExecution(executionId: string): Call<Execution> {
  return {
    method: "GET",
    path: path("executions", executionId),
    repeatable: true,
    read: execution,
  };
}

export function cancelExecution(executionId: string, reason: string | undefined): Call<Execution> {
  return {
    method: "POST",
    path: path("executions", executionId, "cancel"),
    body: reason === undefined ? undefined : { reason },
    repeatable: false,
    read: execution,
  };
}

export function createTicket(executionId: string, ttlSeconds: number | undefined): Call<Ticket> {
  return {
    method: "POST",
    path: path("executions", executionId, "tickets"),
    body: ttlSeconds === undefined ? {} : { ttl_seconds: ttlSeconds },
    repeatable: true, // a ticket that nobody received opens nothing for anybody
    read: (answer) => readResource<Ticket>("ticket", answer),
  };
}

export function eventsPath(executionId: string): string {
  return path("executions", executionId, "events");
}

function workflow(answer: Answer): Workflow {
  return readResource<Workflow>("id", answer);
}

function execution(answer: Answer): Execution {
  return readResource<Execution>("id", answer);
}

function path(collection: string, id: string, ...rest: readonly string[]): string {
  // An empty id or dots would make the path of another resource.
  if (typeof id !== "string" || /^[.\s]*$/.test(id)) {
    throw new ConfigurationError(`'${id}' is no id of ${collection}.`);
  }
  return `/${[collection, encodeURIComponent(id), ...rest].join("/")}`;
}
