import { type Answer, isOk, readError, readEventPage } from "../answers.js";
import {
  ConnectionFailed,
  type FlowMaestroError,
  RequestTimeout,
  StreamInterrupted,
  TransportError,
} from "../errors.js";
import type { StreamEvent } from "../events/models.js";
import { EVENT_TYPES, isTerminal } from "../events/types.js";
import { eventsPath } from "../requests/calls.js";
import type { Connector } from "../requests/connector.js";
import { follow, sleep, TIMED_OUT } from "../waiting.js";
import { takeFrames } from "./frames.js";
import { NativeConnection } from "./native-connection.js";
import { Setbacks } from "./setbacks.js";
import { checkStreamOptions, type NativeStreamOptions } from "./stream-options.js";
import type { EventSequence } from "./subscription.js";
import { TicketHolder } from "./ticket-holder.js";

/** Why a stream stops that its user closed. */
const CLOSED = Symbol("closed");

/**
 * The events of one execution by way of the browser's `EventSource`.
 *
 * The browser reconnects by itself, with its cursor, as long as the server answers with a stream or
 * not at all. When it gives up, which it does after any other answer and without saying which, the
 * same events are asked for as a page: that says what is wrong. Then a new `EventSource` is opened at
 * the cursor, with a new ticket if the old one was refused.
 */
export class NativeStream implements EventSequence {
  readonly #connector: Connector;
  readonly #path: string;
  readonly #options: NativeStreamOptions;
  readonly #tickets: TicketHolder;
  readonly #setbacks: Setbacks;
  readonly #position: { newest: number; lastEventId: number };
  readonly #closing = new AbortController();
  readonly #events: AsyncGenerator<StreamEvent, void, undefined>;

  constructor(connector: Connector, executionId: string, options: NativeStreamOptions) {
    checkStreamOptions(options);
    const { ticket, maxReconnects, lastEventId = 0 } = options;
    const { backoff, stallMs, maxRetries, maxRetryAfterMs } = connector.options;
    this.#connector = connector;
    this.#path = eventsPath(executionId);
    this.#options = options;
    this.#tickets = new TicketHolder(ticket);
    this.#setbacks = new Setbacks(
      {
        backoff,
        stallMs,
        maxReconnects,
        maxFirstReconnects: maxRetries,
        maxRetryAfterMs,
        timeoutMs: undefined,
        renewsTickets: typeof ticket === "function",
      },
      { clock: () => performance.now(), now: Date.now, random: Math.random },
    );
    this.#position = { newest: 0, lastEventId };
    this.#events = this.#run();
  }

  get lastEventId(): number {
    return this.#position.lastEventId;
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamEvent, void> {
    return this.#events;
  }

  async close(): Promise<void> {
    this.#closing.abort(CLOSED);
    await this.#events.return();
  }

  async *#run(): AsyncGenerator<StreamEvent, void, undefined> {
    const { signal } = this.#closing;
    const unfollow = follow(this.#options.signal, this.#closing);
    try {
      while (true) {
        const failure = yield* this.#connect(signal);
        if (failure === undefined) return;
        const reconnecting = this.#setbacks.reconnecting(failure, this.lastEventId);
        this.#options.onReconnect?.(reconnecting);
        await sleep(reconnecting.delayMs, signal);
      }
    } catch (error) {
      if (error !== CLOSED) throw error;
    } finally {
      unfollow();
    }
  }

  /** Opens one `EventSource`; returns nothing at the execution's end, else why it was given up. */
  async *#connect(
    signal: AbortSignal,
  ): AsyncGenerator<StreamEvent, FlowMaestroError | undefined, undefined> {
    const { timeoutMs } = this.#connector.options;
    const ticket = await this.#tickets.take(timeoutMs, signal);
    if (ticket === TIMED_OUT) {
      return new RequestTimeout(`Fetching a ticket took longer than ${timeoutMs} ms.`);
    }
    const { types = [], include = [] } = this.#options;
    const names = new Set(["connected", ...EVENT_TYPES, ...types, ...include]);
    const connection = new NativeConnection(this.#url(ticket), names);
    const close = (): void => connection.close();
    signal.addEventListener("abort", close);
    this.#position.newest = 0;
    try {
      while (true) {
        const told = await connection.next(signal);
        switch (told.kind) {
          case "opened":
            this.#setbacks.answered = true;
            this.#position.newest = 0;
            break;
          case "interrupted":
            this.#options.onReconnect?.(
              this.#setbacks.reconnecting(this.#interruption(), this.lastEventId),
            );
            break;
          case "closed":
            return await this.#diagnose(ticket, signal);
          case "frame": {
            const { connected, events, violation } = takeFrames([told.frame], this.#position);
            if (connected !== undefined) this.#options.onConnect?.(connected);
            for (const event of events) {
              this.#setbacks.progressed();
              yield event;
              if (isTerminal(event)) return undefined;
            }
            if (violation !== undefined) {
              const { message } = violation;
              return this.#setbacks.violated(message, this.lastEventId, { cause: violation });
            }
          }
        }
      }
    } finally {
      signal.removeEventListener("abort", close);
      close();
    }
  }

  /** What the browser does not say: why it reconnects. */
  #interruption(): FlowMaestroError {
    if (this.#setbacks.answered) {
      const ended = `The stream ended after event ${this.lastEventId}, before the execution.`;
      return new StreamInterrupted(ended, this.lastEventId);
    }
    return new ConnectionFailed(`No connection to ${this.#connector.server}.`, false);
  }

  /** Returns why the browser gave up, nothing if that is because the execution has ended. */
  async #diagnose(
    ticket: string | undefined,
    signal: AbortSignal,
  ): Promise<FlowMaestroError | undefined> {
    const page = this.#url(ticket, { follow: "false", limit: 1 });
    const answer = await this.#connector.ask(page, signal);
    if (answer instanceof TransportError) return answer;
    this.#setbacks.answered = true;
    if (!isOk(answer.status)) return this.#refusal(answer);
    const { data, done } = readEventPage(answer);
    if (done && data.length === 0) return undefined;
    return new StreamInterrupted("The browser gave the stream up.", this.lastEventId);
  }

  #refusal(answer: Answer): FlowMaestroError {
    if (answer.status === 401) this.#tickets.refused();
    const error = readError(answer, Date.now());
    if (this.#setbacks.mayAskAgain(error, this.lastEventId)) return error;
    throw error;
  }

  #url(ticket: string | undefined, more: Record<string, string | number> = {}): string {
    const { types, include } = this.#options;
    return this.#connector.url(this.#path, {
      types: types?.join(","),
      include: include?.join(","),
      last_event_id: this.lastEventId > 0 ? this.lastEventId : undefined,
      ticket,
      ...more,
    });
  }
}
