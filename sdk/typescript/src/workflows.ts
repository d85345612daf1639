import type { ExecuteResponse, JsonObject, Workflow } from "./models.js";
import { Page } from "./pages.js";
import * as calls from "./requests/calls.js";
import type { Connector } from "./requests/connector.js";

/** What every request takes. */
export interface RequestOptions {
  /** Ends the request when it aborts; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface PageOptions extends RequestOptions {
  /** From 1, the default. */
  readonly page?: number | undefined;
  /** 1 to 100. Default: 20. */
  readonly perPage?: number | undefined;
}

export interface CreateWorkflowOptions extends RequestOptions {
  /** The id it shall have. Default: the definition's `id`, else one that the server chooses. */
  readonly id?: string | undefined;
}

export interface ExecuteOptions extends RequestOptions {
  /**
   * A repeat with the same key returns the first one's answer, for 24 hours. Default: a key of this
   * call's own, which makes the client's repeats safe.
   */
  readonly idempotencyKey?: string | undefined;
}

/** `client.workflows`. */
export class Workflows {
  readonly #connector: Connector;

  /** @internal */
  constructor(connector: Connector) {
    this.#connector = connector;
  }

  /** Returns one page of the workspace's workflows; iterate over it for all from there on. */
  async list(options: PageOptions = {}): Promise<Page<Workflow>> {
    const { page = 1, perPage = 20, signal } = options;
    const content = await this.#connector.run(calls.listWorkflows(page, perPage), signal);
    return new Page(content, (number) => this.list({ ...options, page: number }));
  }

  /**
   * Returns a workflow at its newest version.
   *
   * @throws {@link ResourceNotFound} there is none of this id.
   */
  async get(workflowId: string, { signal }: RequestOptions = {}): Promise<Workflow> {
    return this.#connector.run(calls.getWorkflow(workflowId), signal);
  }

  /**
   * Stores a workflow.
   *
   * @param definition - its definition, as in JSON or YAML.
   * @throws {@link ValidationError} the definition is wrong (`details` has every problem with its
   * path), or the id is taken.
   */
  async create(
    definition: JsonObject,
    { id, signal }: CreateWorkflowOptions = {},
  ): Promise<Workflow> {
    return this.#connector.run(calls.createWorkflow(definition, id), signal);
  }

  /**
   * Replaces a workflow's definition; executions that run keep theirs.
   *
   * @throws {@link ResourceNotFound} there is none of this id.
   * @throws {@link ValidationError} the definition is wrong; `details` has every problem with its
   * path.
   */
  async update(
    workflowId: string,
    definition: JsonObject,
    { signal }: RequestOptions = {},
  ): Promise<Workflow> {
    return this.#connector.run(calls.updateWorkflow(workflowId, definition), signal);
  }

  /**
   * Deletes a workflow; executions that run go on.
   *
   * @throws {@link ResourceNotFound} there is none of this id.
   */
  async delete(workflowId: string, { signal }: RequestOptions = {}): Promise<void> {
    return this.#connector.run(calls.deleteWorkflow(workflowId), signal);
  }

  /**
   * Starts an execution; follow it with `client.executions.streamIterator(answer.execution_id)`.
   *
   * @param inputs - JSON values by name.
   * @throws {@link ResourceNotFound} there is no such workflow.
   * @throws {@link ValidationError} the inputs are wrong, or the key was used for other inputs.
   */
  async execute(
    workflowId: string,
    inputs: JsonObject = {},
    { idempotencyKey = newKey(), signal }: ExecuteOptions = {},
  ): Promise<ExecuteResponse> {
    const call = calls.executeWorkflow(workflowId, inputs, idempotencyKey);
    return this.#connector.run(call, signal);
  }
}

/** Not `randomUUID`, which pages without TLS do not have. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `sdk-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
