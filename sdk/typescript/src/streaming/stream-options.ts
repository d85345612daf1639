import { ConfigurationError } from "../errors.js";
import { MAX_CURSOR } from "../events/cursor.js";
import type { Connected, EventType, ExtensionType } from "../events/models.js";
import type { Reconnecting } from "./actions.js";

/** Opens a stream without a key: a ticket, or what fetches one. */
export type TicketSource = string | (() => string | Promise<string>);

/** How to follow a stream. */
export interface StreamOptions {
  /** Ends the stream when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** The number of the last event already known. Default: 0, which begins at the start. */
  readonly lastEventId?: number | undefined;
  /** Only events of these types; terminal events always come. Default: all. */
  readonly types?: readonly (EventType | (string & {}))[] | undefined;
  /** Extension events to send as well, such as `node:retrying`. Default: none. */
  readonly include?: readonly (ExtensionType | (string & {}))[] | undefined;
  /** How many milliseconds the whole stream may take. Default: any number. */
  readonly timeoutMs?: number | undefined;
  /**
   * How many reconnects in a row may bring no event. Default: any number, once a server has
   * answered.
   */
  readonly maxReconnects?: number | undefined;
  /**
   * Sent instead of the API key. A function is called before the first connection, and again when
   * the server refuses the ticket (it has expired); what it throws ends the stream.
   */
  readonly ticket?: TicketSource | undefined;
  /** Called when the server has begun to answer, at each connection. */
  readonly onConnect?: ((connected: Connected) => void) | undefined;
  /** Called before each wait to reconnect. */
  readonly onReconnect?: ((reconnecting: Reconnecting) => void) | undefined;
}

/** How to follow a stream by way of the browser's `EventSource`. */
export interface NativeStreamOptions extends Omit<StreamOptions, "timeoutMs" | "onReconnect"> {
  /** Called when the stream has broken off, before the browser or the SDK opens it again. */
  readonly onReconnect?:
    | ((reconnecting: Pick<Reconnecting, "reason" | "lastEventId">) => void)
    | undefined;
}

/** @throws {@link ConfigurationError} a value cannot be used. */
export function checkStreamOptions(options: Omit<StreamOptions, "onReconnect">): void {
  const { lastEventId = 0, timeoutMs, maxReconnects } = options;
  if (!(Number.isInteger(lastEventId) && lastEventId >= 0 && lastEventId <= MAX_CURSOR)) {
    throw new ConfigurationError(`lastEventId must be a whole number from 0 to ${MAX_CURSOR}.`);
  }
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new ConfigurationError("timeoutMs must be more than 0.");
  }
  if (maxReconnects !== undefined && !(maxReconnects >= 0)) {
    throw new ConfigurationError("maxReconnects must be 0 or more.");
  }
  for (const name of ["types", "include"] as const) {
    const value = options[name];
    if (value !== undefined && !Array.isArray(value)) {
      throw new ConfigurationError(`${name} must be an array of event types.`);
    }
  }
}
