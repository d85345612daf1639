import { TIMED_OUT, within } from "../waiting.js";
import type { TicketSource } from "./stream-options.js";

/** Keeps the ticket of a stream, and fetches another when it was refused. */
export class TicketHolder {
  readonly #source: TicketSource | undefined;
  #fetched: string | undefined;

  constructor(source: TicketSource | undefined) {
    this.#source = source;
  }

  /**
   * Returns the ticket, `undefined` if the stream has none; or {@link TIMED_OUT}.
   *
   * @throws what the source throws, and the signal's reason when it aborts.
   */
  async take(
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<string | undefined | typeof TIMED_OUT> {
    const source = this.#source;
    if (typeof source !== "function") return source;
    if (this.#fetched === undefined) {
      const fetched = await within(Promise.resolve(source()), timeoutMs, signal);
      if (fetched === TIMED_OUT) return TIMED_OUT;
      this.#fetched = fetched;
    }
    return this.#fetched;
  }

  /** The server refused it: the next one is another. */
  refused(): void {
    this.#fetched = undefined;
  }
}
