import type { StreamEvent } from "../events/models.js";
import type { NativeStreamOptions, StreamOptions } from "./stream-options.js";

/** What to do with a stream's events. */
export interface EventHandlers {
  /** Called with each event, in order, each once. A promise is waited for before the next event. */
  readonly onEvent: (event: StreamEvent) => unknown;
  /**
   * Called when the stream cannot go on, and with what `onEvent` throws. Without it the error is
   * thrown where nobody catches it, so that it is not lost.
   */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Called once, last, however the stream ended. */
  readonly onClose?: (() => void) | undefined;
}

/** What to do with a stream's events, and how to follow it. */
export interface StreamHandlers extends StreamOptions, EventHandlers {}

/** The same for a stream by way of the browser's `EventSource`. */
export interface NativeStreamHandlers extends NativeStreamOptions, EventHandlers {}

/** The events of one execution, and what stops them. */
export interface EventSequence extends AsyncIterable<StreamEvent> {
  readonly lastEventId: number;
  close(): Promise<void>;
}

/** A stream that calls back. */
export class Subscription {
  readonly #stream: EventSequence;
  readonly #aborted: () => boolean;
  #isClosed = false;

  /** Resolves when the stream has ended, however that was, and `onClose` has been called. */
  readonly closed: Promise<void>;

  /** @internal */
  constructor(
    stream: EventSequence,
    handlers: EventHandlers & { signal?: AbortSignal | undefined },
  ) {
    this.#stream = stream;
    this.#aborted = () => handlers.signal?.aborted ?? false;
    this.closed = this.#run(handlers);
  }

  /** The number of the last event received: the cursor to go on from later. */
  get lastEventId(): number {
    return this.#stream.lastEventId;
  }

  /** Stops, and frees the connection. No event comes after it; `onClose` does. */
  close(): void {
    this.#isClosed = true;
    void this.#stream.close();
  }

  async #run({ onEvent, onError, onClose }: EventHandlers): Promise<void> {
    try {
      for await (const event of this.#stream) {
        if (this.#isClosed) break;
        await onEvent(event);
      }
    } catch (error) {
      if (!this.#isClosed && !this.#aborted()) (onError ?? throwUncaught)(error);
    } finally {
      onClose?.();
    }
  }
}

function throwUncaught(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
