import { type Backoff, DEFAULT_BACKOFF } from "./backoff.js";
import { ConfigurationError } from "./errors.js";

const API_KEY_VARIABLE = "FLOWMAESTRO_API_KEY";
const BASE_URL_VARIABLE = "FLOWMAESTRO_BASE_URL";
const DEFAULT_BASE_URL = "http://127.0.0.1:8000";
const API_PATH = "/api/v1";

/** The part of the platform's `fetch` that the SDK uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What a client may be made with. */
export interface FlowMaestroClientOptions {
  /**
   * `fm_live_…` or `fm_test_…`. Default: `FLOWMAESTRO_API_KEY` of the environment.
   *
   * `null` sends no key: for a web page that opens streams with tickets, or that goes through a
   * server of its own.
   */
  readonly apiKey?: string | null | undefined;
  /**
   * The server's address; `/api/v1` is added unless it ends in `/v1`. Default:
   * `FLOWMAESTRO_BASE_URL` of the environment, else `http://127.0.0.1:8000`.
   */
  readonly baseUrl?: string | undefined;
  /**
   * How many milliseconds one try of a request may take, and how long opening a stream may.
   * Default: 30,000.
   */
  readonly timeout?: number | undefined;
  /** How many times a request that is safe to repeat is repeated. Default: 3. */
  readonly maxRetries?: number | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What to send requests with, for proxies and certificates. Default: the platform's `fetch`. */
  readonly fetch?: Fetch | undefined;
  /** How long to wait before a request is repeated or a stream reconnected. */
  readonly backoff?: Partial<Backoff> | undefined;
  /**
   * How many milliseconds a stream may be silent, heartbeats included, before it counts as broken.
   * Default: 45,000.
   */
  readonly stallMs?: number | undefined;
}

/** {@link FlowMaestroClientOptions} with every gap filled. */
export interface ResolvedOptions {
  readonly apiKey: string | null;
  /** Where the API begins, its version included and without a slash at the end. */
  readonly baseUrl: string;
  readonly timeoutMs: number;
  readonly maxRetries: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: Fetch;
  readonly backoff: Backoff;
  readonly stallMs: number;
  /** A server that asks to wait longer than this gets its error thrown instead. */
  readonly maxRetryAfterMs: number;
}

/** Looks a variable of the environment up. */
export type Environment = (name: string) => string | undefined;

/**
 * Returns the options for what a client was made with; the environment fills the gaps.
 *
 * @throws {@link ConfigurationError} no API key is given or set, or a value cannot be used.
 */
export function resolveOptions(
  options: FlowMaestroClientOptions,
  environment: Environment = platformEnvironment,
): ResolvedOptions {
  const { timeout = 30_000, maxRetries = 3, stallMs = 45_000 } = options;
  if (!(timeout > 0 && stallMs > 0)) {
    throw new ConfigurationError("timeout and stallMs must be more than 0.");
  }
  if (!(Number.isInteger(maxRetries) && maxRetries >= 0)) {
    throw new ConfigurationError("maxRetries must be a whole number, 0 or more.");
  }
  return {
    apiKey: usableKey(options.apiKey, environment),
    baseUrl: apiUrl(options.baseUrl || environment(BASE_URL_VARIABLE) || DEFAULT_BASE_URL),
    timeoutMs: timeout,
    maxRetries,
    headers: { ...options.headers },
    // A browser's fetch must be called as a method of nothing but the window.
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    backoff: {
      baseMs: options.backoff?.baseMs ?? DEFAULT_BACKOFF.baseMs,
      maxMs: options.backoff?.maxMs ?? DEFAULT_BACKOFF.maxMs,
    },
    stallMs,
    maxRetryAfterMs: 120_000,
  };
}

/**
 * Returns where the API begins on the server that `baseUrl` names.
 *
 * @throws {@link ConfigurationError} it is no `http` or `https` URL, or holds a password.
 */
export function apiUrl(baseUrl: string): string {
  const url = URL.canParse(baseUrl.trim()) ? new URL(baseUrl.trim()) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new ConfigurationError(
      `The base URL '${shown(baseUrl)}' is no URL of a server; use one like ${DEFAULT_BASE_URL}.`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new ConfigurationError(
      "The base URL holds a user's name or password, which fetch refuses: send them as a header.",
    );
  }
  const path = url.pathname.replace(/\/+$/, "");
  return url.origin + (path.endsWith("/v1") ? path : path + API_PATH);
}

function usableKey(given: string | null | undefined, environment: Environment): string | null {
  if (given === null) return null;
  const key = (given ?? environment(API_KEY_VARIABLE) ?? "").trim();
  if (key === "") {
    throw new ConfigurationError(`No API key: pass apiKey or set ${API_KEY_VARIABLE}.`);
  }
  if (!/^[!-~]+$/.test(key)) {
    throw new ConfigurationError("The API key holds characters that no API key has.");
  }
  return key;
}

/** Browsers have no environment; Node, Deno and Bun show theirs as `process.env`. */
function platformEnvironment(name: string): string | undefined {
  const { process } = globalThis as {
    process?: { env?: Readonly<Record<string, string | undefined>> };
  };
  try {
    return process?.env?.[name];
  } catch {
    return undefined; // Deno without the permission to read it
  }
}

/** `baseUrl` without what may be a password. */
function shown(baseUrl: string): string {
  return baseUrl.replace(/\/\/[^/]*@/, "//…@").slice(0, 200);
}
