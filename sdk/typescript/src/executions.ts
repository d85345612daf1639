import { CursorExpired } from "./errors.js";
import type { Status } from "./events/models.js";
import type { Execution, Ticket } from "./models.js";
import { Page } from "./pages.js";
import * as calls from "./requests/calls.js";
import type { Connector } from "./requests/connector.js";
import { EventStream } from "./streaming/event-stream.js";
import { NativeStream } from "./streaming/native-stream.js";
import type { StreamOptions } from "./streaming/stream-options.js";
import {
  type NativeStreamHandlers,
  type StreamHandlers,
  Subscription,
} from "./streaming/subscription.js";
import type { PageOptions, RequestOptions } from "./workflows.js";

export interface ListExecutionsOptions extends PageOptions {
  /** Only those of this workflow. */
  readonly workflowId?: string | undefined;
  /** Only those that stand like this. */
  readonly status?: Status | undefined;
}

export interface CancelOptions extends RequestOptions {
  /**
   * Why, for those who watch it: 1 to 1,000 characters; the server says something general without
   * one.
   */
  readonly reason?: string | undefined;
}

export interface WaitOptions extends RequestOptions {
  /** How many milliseconds to wait. Default: any number. */
  readonly timeoutMs?: number | undefined;
}

export interface TicketOptions extends RequestOptions {
  /** For how many seconds it opens the stream, at most 3,600. Default: the server's, 300. */
  readonly ttlSeconds?: number | undefined;
}

/** `client.executions`. */
export class Executions {
  readonly #connector: Connector;

  /** @internal */
  constructor(connector: Connector) {
    this.#connector = connector;
  }

  /** Returns one page of the workspace's executions, newest first; iterate over it for all. */
  async list(options: ListExecutionsOptions = {}): Promise<Page<Execution>> {
    const { workflowId, status, page = 1, perPage = 20, signal } = options;
    const call = calls.listExecutions(workflowId, status, page, perPage);
    const content = await this.#connector.run(call, signal);
    return new Page(content, (number) => this.list({ ...options, page: number }));
  }

  /**
   * Returns an execution as it stands.
   *
   * @throws {@link ResourceNotFound} there is none of this id.
   */
  async get(executionId: string, { signal }: RequestOptions = {}): Promise<Execution> {
    return this.#connector.run(calls.getExecution(executionId), signal);
  }

  /**
   * Cancels an execution and returns it.
   *
   * @throws {@link ResourceNotFound} there is none of this id.
   * @throws {@link ValidationError} it has ended already, or the reason is too long.
   */
  async cancel(executionId: string, { reason, signal }: CancelOptions = {}): Promise<Execution> {
    return this.#connector.run(calls.cancelExecution(executionId, reason), signal);
  }

  /**
   * Waits until an execution has ended, and returns it, however it ended: look at `status`.
   *
   * It waits on the execution's stream, through disconnects; nothing is polled.
   *
   * @throws {@link ResourceNotFound} there is none of this id.
   * @throws {@link DeadlineExceeded} it did not end within `timeoutMs`; it goes on.
   */
  async waitForCompletion(executionId: string, options: WaitOptions = {}): Promise<Execution> {
    const { timeoutMs, signal } = options;
    const types = ["execution:completed"]; // terminal events of all kinds come with it
    try {
      for await (const _ of this.streamIterator(executionId, { types, timeoutMs, signal }));
    } catch (error) {
      if (!(error instanceof CursorExpired)) throw error;
      // Only a log that has ended is trimmed.
      const execution = await this.get(executionId, { signal });
      if (execution.status === "pending" || execution.status === "running") throw error;
      return execution;
    }
    return this.get(executionId, { signal });
  }

  /**
   * Returns an iterator over an execution's events, which follows it to its end.
   *
   * Disconnects are bridged: every event comes once, in order, and the iterator ends only after the
   * terminal event. `event.type` tells events apart, `event.number` counts them. Nothing is sent
   * before the first event is asked for. Iterating throws:
   *
   * - {@link ResourceNotFound}: there is none of this id;
   * - {@link CursorExpired}: the events after `lastEventId` are no longer retained;
   * - {@link DeadlineExceeded}: `timeoutMs` are over;
   * - {@link StreamProtocolError}: the server sends what no stream carries;
   * - {@link TransportError}, {@link StreamError}: reconnecting did not help;
   * - the reason of `signal`, when it aborts.
   *
   * @throws {@link ConfigurationError} an option cannot be used.
   */
  streamIterator(executionId: string, options: StreamOptions = {}): EventStream {
    return new EventStream(this.#connector, executionId, options);
  }

  /**
   * Follows an execution to its end as {@link streamIterator} does, and calls back.
   *
   * @throws {@link ConfigurationError} an option cannot be used.
   */
  stream(executionId: string, handlers: StreamHandlers): Subscription {
    return new Subscription(this.streamIterator(executionId, handlers), handlers);
  }

  /**
   * Follows an execution to its end as {@link stream} does, by way of the browser's `EventSource`:
   * its connections show among the browser's event streams, and it reconnects by itself.
   *
   * With a function as the `ticket`, a ticket that has expired is renewed and the stream goes on at
   * its cursor. No key is sent, as an `EventSource` cannot send one. A browser shows no heartbeats,
   * so a connection that is silently dead is noticed by {@link stream} only.
   *
   * @throws {@link ConfigurationError} an option cannot be used; what else goes wrong, and that the
   * platform has no `EventSource`, goes to `onError`.
   */
  openEventSource(executionId: string, handlers: NativeStreamHandlers): Subscription {
    return new Subscription(new NativeStream(this.#connector, executionId, handlers), handlers);
  }

  /**
   * Returns a ticket, which opens the event stream of this one execution, and nothing else, in a
   * place that no key should go to: a web page.
   *
   * @throws {@link ResourceNotFound} there is none of this id.
   */
  async createTicket(
    executionId: string,
    { ttlSeconds, signal }: TicketOptions = {},
  ): Promise<Ticket> {
    return this.#connector.run(calls.createTicket(executionId, ttlSeconds), signal);
  }
}
