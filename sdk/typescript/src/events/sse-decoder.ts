import { createParser, type EventSourceParser } from "eventsource-parser";

/** One event of a stream, as a browser's `EventSource` would dispatch it. */
export interface ServerSentEvent {
  /** Its name; `message` if the stream did not say. */
  readonly event: string;
  readonly data: string;
  /** The last `id` that the stream sent up to this event; empty if it sent none. */
  readonly id: string;
}

/** How many characters of one event are held while its end has not come. */
const DEFAULT_MAX_EVENT_CHARACTERS = 16 * 1024 * 1024;

/**
 * Turns the bytes of one response into events, however they are cut into chunks.
 *
 * `eventsource-parser` does the parsing. What it leaves to its caller is here: bytes to text, the
 * last event ID and the default name. An event that the stream breaks off in is never told: use a
 * new decoder for the next response.
 */
export class SSEDecoder {
  /** The last `id` that the stream sent; empty for none. */
  lastEventId = "";
  /** The reconnection time that the stream asked for last, in milliseconds. */
  retryMs: number | undefined;
  /** Whether an event was too large to hold; the decoder is then of no more use. */
  overflowed = false;

  // The parser strips the one BOM that may be there: two strippers would take a second one, too.
  readonly #text = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #parser: EventSourceParser;
  #events: ServerSentEvent[] = [];

  /**
   * @param maxEventCharacters - how long an event may be of which the end has not come yet.
   */
  constructor(readonly maxEventCharacters = DEFAULT_MAX_EVENT_CHARACTERS) {
    this.#parser = createParser({
      maxBufferSize: maxEventCharacters,
      onId: (id) => {
        this.lastEventId = id;
      },
      onEvent: ({ event, data }) => {
        this.#events.push({ event: event ?? "message", data, id: this.lastEventId });
      },
      onRetry: (milliseconds) => {
        // Thousands of digits are read as Infinity.
        this.retryMs = Math.min(milliseconds, Number.MAX_SAFE_INTEGER);
      },
      onError: (error) => {
        if (error.type === "max-buffer-size-exceeded") this.overflowed = true;
      },
    });
  }

  /** Takes the next bytes and returns the events they complete; look at `overflowed` after it. */
  feed(chunk: Uint8Array): ServerSentEvent[] {
    this.#events = [];
    this.#parser.feed(this.#text.decode(chunk, { stream: true }));
    return this.#events;
  }
}
