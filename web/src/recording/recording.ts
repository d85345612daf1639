/** The events of one execution, as they come: everything the page knows of it. */

import {
  CursorExpired,
  type FlowMaestroClient,
  type Reconnecting,
  type StreamEvent,
} from "@flowmaestro/sdk";

/** How the stream stands. */
export type Connection =
  | { readonly kind: "connecting" }
  | { readonly kind: "open" }
  | { readonly kind: "reconnecting"; readonly reason: Error; readonly untilMs: number }
  | { readonly kind: "ended" }
  /** It cannot go on by itself. */
  | { readonly kind: "failed"; readonly error: Error };

/** Where the events come from; another one may take over, from the cursor. */
export interface Source {
  readonly client: FlowMaestroClient;
  readonly ticket: string | undefined;
}

const INCLUDED = ["node:skipped", "node:retrying", "node:expanded", "node:log"] as const;
/** Events of one chunk come in one go, and each change is a rendering. */
const FLUSH_MS = 8;

/** Follows an execution while it is open, and keeps all of its events. */
export class Recording {
  /** In order; it only grows. */
  readonly events: StreamEvent[] = [];
  connection: Connection = { kind: "connecting" };
  /** How far the server's clock is ahead of this one. */
  clockOffsetMs = 0;
  /** The number of the last event that the server no longer keeps; 0 if it has them all. */
  trimmedThrough = 0;
  /** The newest number when the connection was opened: up to it, what comes is the past. */
  #newestAtOpen = Number.POSITIVE_INFINITY;
  readonly #executionId: string;
  readonly #onChange: () => void;
  #source: Source;
  #following: AbortController | undefined;
  #flush: ReturnType<typeof setTimeout> | undefined;

  /** @param onChange - called a moment after something has changed, once for many events. */
  constructor(executionId: string, source: Source, onChange: () => void) {
    this.#executionId = executionId;
    this.#source = source;
    this.#onChange = onChange;
  }

  /** Whether what comes is the present. */
  get isCaughtUp(): boolean {
    return (this.events.at(-1)?.number ?? 0) >= this.#newestAtOpen;
  }

  /** Starts to follow, or goes on; a stream that waits to reconnect does it now. */
  open(source: Source = this.#source): void {
    this.#source = source;
    if (this.connection.kind === "ended") return;
    this.#following?.abort();
    void this.#follow();
  }

  close(): void {
    this.#following?.abort();
    this.#following = undefined;
    clearTimeout(this.#flush);
    this.#flush = undefined;
  }

  async #follow(): Promise<void> {
    const following = new AbortController();
    this.#following = following;
    const { signal } = following;
    this.#set(signal, { kind: "connecting" });
    try {
      for await (const event of this.#stream(signal)) {
        if (signal.aborted) return;
        this.events.push(event);
        this.#change();
      }
      this.#set(signal, { kind: "ended" });
    } catch (error) {
      if (signal.aborted) return;
      if (this.#skipTrimmed(error)) await this.#follow();
      else this.#set(signal, { kind: "failed", error: asError(error) });
    }
  }

  #stream(signal: AbortSignal): AsyncIterable<StreamEvent> {
    const { client, ticket } = this.#source;
    return client.executions.streamIterator(this.#executionId, {
      signal,
      ticket,
      include: INCLUDED,
      lastEventId: this.events.at(-1)?.number ?? this.trimmedThrough,
      onConnect: ({ timestamp, last_event_id }) => {
        this.#newestAtOpen = last_event_id;
        this.clockOffsetMs = Date.parse(timestamp) - Date.now();
        this.#set(signal, { kind: "open" });
      },
      onReconnect: ({ reason, delayMs }: Reconnecting) =>
        this.#set(signal, { kind: "reconnecting", reason, untilMs: Date.now() + delayMs }),
    });
  }

  /** Goes on after the events that the server has removed, if that is what `error` is about. */
  #skipTrimmed(error: unknown): boolean {
    if (!(error instanceof CursorExpired)) return false;
    const { trimmed_through } = error.details as { trimmed_through?: unknown };
    if (typeof trimmed_through !== "number" || trimmed_through <= this.trimmedThrough) return false;
    this.trimmedThrough = trimmed_through;
    return true;
  }

  #set(signal: AbortSignal, connection: Connection): void {
    if (signal.aborted) return; // the stream that took over says how it stands
    this.connection = connection;
    this.#change();
  }

  #change(): void {
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      this.#onChange();
    }, FLUSH_MS);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
