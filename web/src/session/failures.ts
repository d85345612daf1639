/** What a failed request means to whoever looks at the page: a sentence, and a way on. */

import {
  AuthenticationError,
  CursorExpired,
  ExpiredAPIKey,
  InsufficientScope,
  RateLimitExceeded,
  ResourceNotFound,
  RevokedAPIKey,
  TransportError,
} from "@flowmaestro/sdk";

export interface Explanation {
  readonly title: string;
  readonly sentence: string;
  /** `sign-in`: another key helps; `retry`: asking again does; `none`: nothing does. */
  readonly way: "sign-in" | "retry" | "none";
}

/** Explains an error of a request that was sent with a key or with a ticket. */
export function explain(error: Error, credential: "key" | "ticket"): Explanation {
  if (error instanceof AuthenticationError) {
    return credential === "ticket" ? refusedTicket(error) : refusedKey(error);
  }
  if (error instanceof InsufficientScope) {
    const { missing_scope } = error.details as { missing_scope?: unknown };
    const scope = typeof missing_scope === "string" ? `the scope ${missing_scope}` : "a scope";
    const sentence = `It lacks ${scope}. Sign in with a key that has it.`;
    return { title: "This key may not see it", sentence, way: "sign-in" };
  }
  if (error instanceof ResourceNotFound) {
    const sentence =
      "There is no such execution in this key's workspace. Look at the address again, or sign in " +
      "with a key of the workspace that it is in.";
    return { title: "Not found", sentence, way: "sign-in" };
  }
  if (error instanceof CursorExpired) {
    const sentence = "The server keeps events for a time only, and that of these is over.";
    return { title: "The events are no longer kept", sentence, way: "none" };
  }
  if (error instanceof RateLimitExceeded) {
    const sentence = "It has made as many requests, or has as many streams open, as it may.";
    return { title: "This key is at its limit", sentence, way: "retry" };
  }
  if (error instanceof TransportError) {
    const sentence = "It may be starting again, or the network may be down.";
    return { title: "The server cannot be reached", sentence, way: "retry" };
  }
  return { title: "The server did not answer as it should", sentence: error.message, way: "retry" };
}

function refusedTicket(error: AuthenticationError): Explanation {
  const { credential } = (error.details ?? {}) as { credential?: unknown };
  const sentence = "Ask for a new one, or sign in with an API key.";
  if (credential === "key") {
    const title = "The key that this link was made with is no longer valid";
    return { title, sentence, way: "sign-in" };
  }
  const title =
    error instanceof ExpiredAPIKey ? "This link has expired" : "This link opens nothing";
  return { title, sentence, way: "sign-in" };
}

function refusedKey(error: AuthenticationError): Explanation {
  const sentence = "Sign in with another one.";
  if (error instanceof RevokedAPIKey) {
    return { title: "This API key has been revoked", sentence, way: "sign-in" };
  }
  if (error instanceof ExpiredAPIKey) {
    return { title: "This API key has expired", sentence, way: "sign-in" };
  }
  return { title: "The server does not know this API key", sentence, way: "sign-in" };
}
