import type { StreamEvent } from "../events/models.js";
import { eventsPath } from "../requests/calls.js";
import type { Connector } from "../requests/connector.js";
import { follow, sleep } from "../waiting.js";
import type { Reply } from "./actions.js";
import { Connection } from "./connection.js";
import { Resumption } from "./resume.js";
import { checkStreamOptions, type StreamOptions } from "./stream-options.js";

/**
 * The events of one execution, in order, each once; it ends after the terminal event.
 *
 * Iterate over it with `for await`, once. `break` frees the connection at once, as {@link close}
 * does.
 */
export class EventStream implements AsyncIterableIterator<StreamEvent> {
  readonly #cursor: Cursor;
  readonly #events: AsyncGenerator<StreamEvent, void, undefined>;
  readonly #closing = new AbortController();

  /** @internal */
  constructor(connector: Connector, executionId: string, options: StreamOptions) {
    checkStreamOptions(options);
    const { types, include, ticket } = options;
    const { backoff, stallMs, maxRetries, maxRetryAfterMs } = connector.options;
    const { lastEventId = 0 } = options;
    const resumption = new Resumption(
      {
        backoff,
        stallMs,
        maxReconnects: options.maxReconnects,
        maxFirstReconnects: maxRetries,
        maxRetryAfterMs,
        timeoutMs: options.timeoutMs,
        renewsTickets: typeof ticket === "function",
      },
      lastEventId,
      { clock: () => performance.now(), now: Date.now, random: Math.random },
    );
    const request = {
      path: eventsPath(executionId),
      query: { types: types?.join(","), include: include?.join(",") },
      ticket,
    };
    const connection = new Connection(connector, request, this.#closing.signal);
    this.#cursor = { lastEventId };
    this.#events = run(resumption, connection, options, this.#closing, this.#cursor);
  }

  /** The number of the last event received: the cursor to go on from later. */
  get lastEventId(): number {
    return this.#cursor.lastEventId;
  }

  /**
   * Resolves to the next event.
   *
   * @throws {@link FlowMaestroError} the stream cannot go on; the signal's reason if it aborted.
   */
  next(): Promise<IteratorResult<StreamEvent, void>> {
    return this.#events.next();
  }

  /** What `break` calls: frees the connection. */
  return(): Promise<IteratorResult<StreamEvent, void>> {
    return this.#events.return();
  }

  /** Stops, and frees the connection. An iteration that waits for the next event ends. */
  async close(): Promise<void> {
    this.#closing.abort(CLOSED);
    await this.#events.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** How far the caller is: events that came with others wait for their turn. */
interface Cursor {
  lastEventId: number;
}

/** Why a stream stops that its user closed. */
const CLOSED = Symbol("closed");

async function* run(
  resumption: Resumption,
  connection: Connection,
  { signal, onConnect, onReconnect }: StreamOptions,
  closing: AbortController,
  cursor: Cursor,
): AsyncGenerator<StreamEvent, void, undefined> {
  const stopped = closing.signal;
  const unfollow = follow(signal, closing);
  // Not only when the next event is asked for: who aborts may never ask again.
  const release = (): void => connection.release();
  stopped.addEventListener("abort", release);
  const actions = resumption.run();
  let reply: Reply;
  try {
    while (true) {
      stopped.throwIfAborted();
      const step = actions.next(reply);
      if (step.done) return;
      const action = step.value;
      reply = undefined;
      switch (action.kind) {
        case "open":
          reply = await connection.open(action);
          break;
        case "read":
          reply = await connection.read(action);
          break;
        case "connected":
          onConnect?.(action.event);
          break;
        case "deliver":
          for (const event of action.events) {
            stopped.throwIfAborted();
            cursor.lastEventId = event.number;
            yield event;
          }
          break;
        case "reconnecting":
          connection.release();
          onReconnect?.(action);
          await sleep(action.delayMs, stopped);
          break;
      }
    }
  } catch (error) {
    if (error !== CLOSED) throw error;
  } finally {
    stopped.removeEventListener("abort", release);
    unfollow();
    connection.release();
  }
}
