import { ConnectionFailed } from "../errors.js";

/** What Node (undici, OpenSSL) and Bun call a failure before the request could be sent. */
const BEFORE_SENDING =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_.*|ERR_TLS_CERT_.*|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*|ConnectionRefused|FailedToOpenSocket)$/;

/** How Deno begins to say so; it gives no code. */
const CONNECT = "client error (Connect)";

/**
 * Returns the SDK's error for one that `fetch`, or reading a body, ended with.
 *
 * @param server - the server's address, for the message.
 */
export function connectionFailed(server: string, error: unknown): ConnectionFailed {
  const chain = causes(error);
  const reason = messageOf(chain.at(-1)) || messageOf(error) || "no reason given";
  return chain.some(happenedBeforeSending)
    ? new ConnectionFailed(`No connection to ${server}: ${reason}`, false, { cause: error })
    : new ConnectionFailed(`No whole answer from ${server}: ${reason}${originHint(server)}`, true, {
        cause: error,
      });
}

/** In a page of another origin: a browser does not say that this is why it refuses. */
function originHint(server: string): string {
  const origin = globalThis.location?.origin;
  return origin === undefined || origin === server
    ? ""
    : ` (is ${origin} in the server's FLOWMAESTRO_CORS_ORIGINS?)`;
}

/** `error` and its causes; of several addresses that were tried, the first one's. */
function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let next = error; next instanceof Error && chain.length < 8; ) {
    chain.push(next);
    next = next instanceof AggregateError ? next.errors[0] : next.cause;
  }
  return chain;
}

function happenedBeforeSending(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return (
    (typeof code === "string" && BEFORE_SENDING.test(code)) || messageOf(error).includes(CONNECT)
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}
