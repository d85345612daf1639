import { RequestTimeout, type TransportError } from "../errors.js";
import type { Query } from "../requests/calls.js";
import { type Connector, headerOf, REQUEST_MODE } from "../requests/connector.js";
import { connectionFailed } from "../requests/faults.js";
import { TIMED_OUT, within } from "../waiting.js";
import type { Head, Open, Read } from "./actions.js";
import type { TicketSource } from "./stream-options.js";
import { TicketHolder } from "./ticket-holder.js";

const END = new Uint8Array();

/** What a stream asks the server for, each time it is opened. */
export interface StreamRequest {
  readonly path: string;
  readonly query: Query;
  readonly ticket: TicketSource | undefined;
}

/** A stream's connection, if it has one: at most one at a time. */
export class Connection {
  readonly #connector: Connector;
  readonly #request: StreamRequest;
  readonly #signal: AbortSignal;
  readonly #tickets: TicketHolder;
  #attempt: AbortController | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  /** @param signal - ends waiting; the reason is thrown. */
  constructor(connector: Connector, request: StreamRequest, signal: AbortSignal) {
    this.#connector = connector;
    this.#request = request;
    this.#signal = signal;
    this.#tickets = new TicketHolder(request.ticket);
  }

  /**
   * Sends the request, and returns the beginning of the response.
   *
   * @throws what the ticket's source throws.
   */
  async open({
    lastEventId,
    remainingMs = Number.POSITIVE_INFINITY,
  }: Open): Promise<Head | TransportError> {
    this.release();
    const { options, server } = this.#connector;
    const timeoutMs = Math.min(options.timeoutMs, remainingMs);
    const late = (what: string): RequestTimeout =>
      new RequestTimeout(`${what} took longer than ${options.timeoutMs} ms.`);
    const ticket = await this.#tickets.take(timeoutMs, this.#signal);
    if (ticket === TIMED_OUT) return late("Fetching a ticket");
    const { url, headers } = this.#address(lastEventId, ticket);
    const attempt = new AbortController();
    this.#attempt = attempt;
    try {
      const init = { headers, ...REQUEST_MODE, signal: attempt.signal };
      const response = await within(options.fetch(url, init), timeoutMs, this.#signal);
      if (response === TIMED_OUT) return late(`The answer of ${server}`);
      if (response.status === 401) this.#tickets.refused();
      this.#reader = response.body?.getReader();
      return { status: response.status, header: headerOf(response) };
    } catch (error) {
      this.#signal.throwIfAborted();
      return connectionFailed(server, error);
    }
  }

  /** Returns the next bytes of the response, none at its end. */
  async read({
    remainingMs = Number.POSITIVE_INFINITY,
  }: Read): Promise<Uint8Array | TransportError> {
    const { options, server } = this.#connector;
    const silenceMs = Math.min(options.stallMs, remainingMs);
    try {
      while (true) {
        if (this.#reader === undefined) return END;
        const chunk = await within(this.#reader.read(), silenceMs, this.#signal);
        if (chunk === TIMED_OUT) return new RequestTimeout(`${server} went silent.`);
        if (chunk.done) return END;
        if (chunk.value.length > 0) return chunk.value;
      }
    } catch (error) {
      this.#signal.throwIfAborted();
      return connectionFailed(server, error);
    }
  }

  /** Closes the connection, if there is one. */
  release(): void {
    const [attempt, reader] = [this.#attempt, this.#reader];
    this.#attempt = undefined;
    this.#reader = undefined;
    attempt?.abort();
    // For a fetch that ignores its signal; a body that was aborted says so again.
    reader?.cancel().catch(() => {});
  }

  #address(
    lastEventId: number,
    ticket: string | undefined,
  ): { url: string; headers: Record<string, string> } {
    const { path, query } = this.#request;
    const connector = this.#connector;
    const accept = "text/event-stream";
    if (ticket !== undefined) {
      // Without headers of its own the request needs no preflight from a page of another origin.
      const cursor = { last_event_id: lastEventId > 0 ? lastEventId : undefined };
      return {
        url: connector.url(path, { ...query, ...cursor, ticket }),
        headers: { ...connector.options.headers, Accept: accept },
      };
    }
    const cursor: Record<string, string> =
      lastEventId > 0 ? { "Last-Event-ID": String(lastEventId) } : {};
    return {
      url: connector.url(path, query),
      headers: {
        ...connector.headers(),
        ...cursor,
        Accept: accept,
        "Accept-Encoding": "identity", // a compressor in between would hold events back
      },
    };
  }
}
