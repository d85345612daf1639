import type { FlowMaestroClient } from "../client.js";
import type { StreamEvent } from "../events/models.js";
import type { TicketSource } from "../streaming/stream-options.js";
import { ExecutionFold, type ExecutionState, NOTHING_KNOWN } from "./execution-state.js";

/**
 * How the stream stands. `idle`: nothing is followed; `connecting`: the first time; `open`;
 * `reconnecting`: it broke off and will be opened again; `ended`: all events have come; `failed`: it
 * cannot go on, see `streamError`.
 */
export type ConnectionState = "idle" | "connecting" | "open" | "reconnecting" | "ended" | "failed";

/** What `useExecution` returns. */
export interface ExecutionSnapshot extends ExecutionState {
  readonly connection: ConnectionState;
  /**
   * Why the stream cannot go on: a `FlowMaestroError`, or what the ticket's source or `onEvent`
   * threw.
   */
  readonly streamError: Error | null;
  /** Follows again, from where it stopped, after the stream has failed. */
  readonly reconnect: () => void;
}

export interface ExecutionStoreOptions {
  readonly include: readonly string[];
  /** Both are asked for anew each time: they may change between renderings. */
  readonly ticket: () => TicketSource | undefined;
  readonly onEvent: (event: StreamEvent) => void;
}

export const IDLE: ExecutionSnapshot = {
  ...NOTHING_KNOWN,
  connection: "idle",
  streamError: null,
  reconnect: () => {},
};

/**
 * An execution as a store for `useSyncExternalStore`: it follows the stream while somebody listens.
 *
 * Who stops listening and comes back (as StrictMode makes every component do) goes on from the
 * cursor: nothing is fetched or folded twice.
 */
export class ExecutionStore {
  readonly #client: FlowMaestroClient;
  readonly #executionId: string;
  readonly #options: ExecutionStoreOptions;
  readonly #fold = new ExecutionFold();
  readonly #listeners = new Set<() => void>();
  #connection: ConnectionState = "connecting";
  #streamError: Error | null = null;
  #snapshot: ExecutionSnapshot;
  #following: AbortController | undefined;
  #flush: ReturnType<typeof setTimeout> | undefined;

  constructor(client: FlowMaestroClient, executionId: string, options: ExecutionStoreOptions) {
    this.#client = client;
    this.#executionId = executionId;
    this.#options = options;
    this.#snapshot = this.#takeSnapshot();
  }

  readonly getSnapshot = (): ExecutionSnapshot => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#following === undefined && !this.#isOver()) void this.#follow();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stop();
    };
  };

  readonly #reconnect = (): void => {
    if (this.#connection === "failed" && this.#listeners.size > 0) void this.#follow();
  };

  #isOver(): boolean {
    return this.#connection === "ended" || this.#connection === "failed";
  }

  async #follow(): Promise<void> {
    const following = new AbortController();
    this.#following = following;
    this.#set("connecting");
    const { include, ticket, onEvent } = this.#options;
    try {
      const events = this.#client.executions.streamIterator(this.#executionId, {
        signal: following.signal,
        lastEventId: this.#fold.lastEventId,
        include,
        ticket: ticket(),
        onConnect: (connected) => {
          this.#fold.connect(connected);
          this.#set("open");
        },
        onReconnect: () => this.#set("reconnecting"),
      });
      for await (const event of events) {
        // It may have been on its way as this stream was stopped; the next one brings it again.
        if (following.signal.aborted) return;
        this.#fold.apply(event);
        this.#change();
        onEvent(event);
      }
      this.#set("ended");
    } catch (error) {
      if (following.signal.aborted) return;
      this.#streamError = error instanceof Error ? error : new Error(String(error));
      this.#set("failed");
    } finally {
      if (this.#following === following) this.#following = undefined;
    }
  }

  #stop(): void {
    this.#following?.abort();
    this.#following = undefined;
    clearTimeout(this.#flush);
    this.#flush = undefined;
    this.#snapshot = this.#takeSnapshot();
  }

  #set(connection: ConnectionState): void {
    if (connection !== "failed") this.#streamError = null;
    this.#connection = connection;
    this.#change();
  }

  /**
   * Not at once: the events of one chunk come in one go, a log from its beginning in few chunks, and
   * each snapshot is a rendering.
   */
  #change(): void {
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      this.#snapshot = this.#takeSnapshot();
      for (const listener of this.#listeners) listener();
    });
  }

  #takeSnapshot(): ExecutionSnapshot {
    return {
      ...this.#fold.snapshot(),
      connection: this.#connection,
      streamError: this.#streamError,
      reconnect: this.#reconnect,
    };
  }
}
