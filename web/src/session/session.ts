/**
 * With what this tab opens executions: an API key, or a ticket for one of them.
 *
 * Both are kept in the tab's own storage, which ends with the tab: never in the address, where
 * histories and logs would have them, and never where another tab could read them.
 */

import { FlowMaestroClient } from "@flowmaestro/sdk";

const KEY = "flowmaestro.key";
const TICKET = "flowmaestro.ticket.";

export type Credential =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "ticket"; readonly ticket: string };

/** The part of `Storage` that is used. */
export interface TabStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

export class Session {
  readonly #storage: TabStorage;
  readonly #listeners = new Set<() => void>();
  #credentials = new Map<string | null, Credential | null>();

  constructor(storage: TabStorage) {
    this.#storage = storage;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /**
   * Returns what opens an execution, or with `null` everything else; the same object until it
   * changes. A ticket goes before the key: whoever followed a link wants what the link shows.
   */
  credential(executionId: string | null): Credential | null {
    let found = this.#credentials.get(executionId);
    if (found === undefined) {
      found = this.#find(executionId);
      this.#credentials.set(executionId, found);
    }
    return found;
  }

  signIn(key: string): void {
    this.#storage.setItem(KEY, key);
    this.#changed();
  }

  signOut(): void {
    this.#storage.removeItem(KEY);
    this.#changed();
  }

  keepTicket(executionId: string, ticket: string): void {
    this.#storage.setItem(TICKET + executionId, ticket);
    this.#changed();
  }

  /** Makes way for the key. */
  dropTicket(executionId: string): void {
    this.#storage.removeItem(TICKET + executionId);
    this.#changed();
  }

  #find(executionId: string | null): Credential | null {
    const ticket = executionId === null ? null : this.#storage.getItem(TICKET + executionId);
    if (ticket !== null) return { kind: "ticket", ticket };
    const key = this.#storage.getItem(KEY);
    return key === null ? null : { kind: "key", key };
  }

  #changed(): void {
    this.#credentials = new Map();
    for (const listener of this.#listeners) listener();
  }
}

/** Returns the ticket that an address's fragment, `#ticket=…`, brings. */
export function ticketIn(fragment: string): string | null {
  const ticket = new URLSearchParams(fragment.replace(/^#/, "")).get("ticket");
  return ticket === "" ? null : ticket;
}

/**
 * Returns a client of the server that this page comes from.
 *
 * @throws ConfigurationError the key holds characters that no key has.
 */
export function newClient(credential: Credential): FlowMaestroClient {
  return new FlowMaestroClient({
    apiKey: credential.kind === "key" ? credential.key : null,
    baseUrl: window.location.origin,
    backoff: { baseMs: 500, maxMs: 10_000 },
  });
}
