/** Carries calls to the server: the thin shell around `retries.ts`. */

import type { Answer } from "../answers.js";
import { ConfigurationError, RequestTimeout, type TransportError } from "../errors.js";
import type { ResolvedOptions } from "../options.js";
import { follow, sleep, TIMED_OUT, within } from "../waiting.js";
import type { Call, Query } from "./calls.js";
import { connectionFailed } from "./faults.js";
import { type RetryReply, sendWithRetries } from "./retries.js";

/** A request as `fetch` takes it. */
interface Request {
  readonly url: string;
  readonly init: RequestInit;
}

export class Connector {
  readonly options: ResolvedOptions;

  constructor(options: ResolvedOptions) {
    this.options = options;
  }

  /** The server's address, as errors name it. */
  get server(): string {
    return new URL(this.options.baseUrl).origin;
  }

  url(path: string, query: Query = {}): string {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) parameters.set(name, String(value));
    }
    return `${this.options.baseUrl}${path}${parameters.size > 0 ? `?${parameters}` : ""}`;
  }

  /** The headers of every request. */
  headers(): Record<string, string> {
    const { headers, apiKey } = this.options;
    // Not as a bearer token: Authorization may be needed for a proxy in front of the server.
    return apiKey === null ? { ...headers } : { ...headers, "X-API-Key": apiKey };
  }

  /** Sends `call`, repeating it as far as that is safe, and returns what its answer holds. */
  async run<Result>(call: Call<Result>, signal?: AbortSignal): Promise<Result> {
    const request = this.#request(call);
    const steps = sendWithRetries(this.options, call.repeatable, Math.random, Date.now);
    const stop = new AbortController();
    const unfollow = follow(signal, stop);
    try {
      let reply: RetryReply;
      while (true) {
        stop.signal.throwIfAborted();
        const step = steps.next(reply);
        if (step.done) return call.read(step.value);
        reply = undefined;
        if (step.value === "send") reply = await this.#send(request, stop.signal);
        else await sleep(step.value, stop.signal);
      }
    } finally {
      unfollow();
    }
  }

  /** Gets `url` once, without the key: for what a ticket opens. */
  async ask(url: string, signal: AbortSignal): Promise<Answer | TransportError> {
    const headers = { ...this.options.headers, Accept: "application/json" };
    return this.#send({ url, init: { headers, ...REQUEST_MODE } }, signal);
  }

  #request(call: Call<unknown>): Request {
    const headers: Record<string, string> = {
      Accept: "application/json",
      ...this.headers(),
      ...call.headers,
    };
    const init: RequestInit = { method: call.method, headers, ...REQUEST_MODE };
    if (call.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = toJson(call.body);
    }
    return { url: this.url(call.path, call.query), init };
  }

  async #send(request: Request, signal: AbortSignal): Promise<Answer | TransportError> {
    const { timeoutMs } = this.options;
    const attempt = new AbortController();
    try {
      const answer = await within(this.#fetchWhole(request, attempt.signal), timeoutMs, signal);
      if (answer !== TIMED_OUT) return answer;
      return new RequestTimeout(`${this.server} took longer than ${timeoutMs} ms to answer.`);
    } catch (error) {
      signal.throwIfAborted();
      return connectionFailed(this.server, error);
    } finally {
      attempt.abort();
    }
  }

  async #fetchWhole({ url, init }: Request, signal: AbortSignal): Promise<Answer> {
    const response = await this.options.fetch(url, { ...init, signal });
    return {
      status: response.status,
      header: headerOf(response),
      body: await response.text(),
    };
  }
}

/**
 * Nothing between here and the server may answer from its memory; and a redirect is an error, for
 * following it would show the key to another address.
 */
export const REQUEST_MODE = { cache: "no-store", redirect: "manual" } as const;

/** Returns what looks a header of `response` up. */
export function headerOf(response: Response): (name: string) => string | undefined {
  return (name) => response.headers.get(name) ?? undefined;
}

function toJson(body: unknown): string {
  try {
    return JSON.stringify(body);
  } catch (error) {
    throw new ConfigurationError("The request cannot be written as JSON.", { cause: error });
  }
}
