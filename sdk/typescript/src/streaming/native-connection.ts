import { ConfigurationError } from "../errors.js";
import type { ServerSentEvent } from "../events/sse-decoder.js";

/** What a browser's `EventSource` tells of itself. */
export type Signal =
  | { readonly kind: "opened" }
  | { readonly kind: "frame"; readonly frame: ServerSentEvent }
  /** It broke off; the browser reconnects. */
  | { readonly kind: "interrupted" }
  /** It is over: the server refused, or said that nothing follows. A browser does not tell which. */
  | { readonly kind: "closed" };

/** A browser's `EventSource`, as what happens to it in order. */
export class NativeConnection {
  readonly #source: EventSource;
  readonly #signals: Signal[] = [];
  #wake: (() => void) | undefined;

  /**
   * @param types - the names of the events to listen to: a browser drops the others.
   * @throws {@link ConfigurationError} the platform has no `EventSource`.
   */
  constructor(url: string, types: Iterable<string>) {
    if (typeof globalThis.EventSource !== "function") {
      throw new ConfigurationError("There is no EventSource here: use stream or streamIterator.");
    }
    const source = new EventSource(url);
    this.#source = source;
    source.onopen = () => this.#tell({ kind: "opened" });
    source.onerror = () => {
      const isClosed = source.readyState === source.CLOSED;
      this.#tell({ kind: isClosed ? "closed" : "interrupted" });
    };
    for (const type of types) {
      source.addEventListener(type, ({ data, lastEventId }) => {
        // `connected` has no number; a browser shows the last one that it saw before.
        const id = type === "connected" ? "" : lastEventId;
        this.#tell({ kind: "frame", frame: { event: type, data, id } });
      });
    }
  }

  /** Resolves to what happens next; rejects with the signal's reason when it aborts first. */
  async next(signal: AbortSignal): Promise<Signal> {
    while (true) {
      signal.throwIfAborted();
      const told = this.#signals.shift();
      if (told !== undefined) return told;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", this.#onWake);
      });
      signal.removeEventListener("abort", this.#onWake);
    }
  }

  close(): void {
    this.#source.close();
  }

  readonly #onWake = (): void => this.#wake?.();

  #tell(signal: Signal): void {
    this.#signals.push(signal);
    this.#onWake();
  }
}
