import {
  ExpiredAPIKey,
  InsufficientScope,
  InvalidAPIKey,
  ResourceNotFound,
} from "@flowmaestro/sdk";
import { describe, expect, test } from "vitest";
import { routeOf } from "../src/router.js";
import { explain } from "../src/session/failures.js";
import { Session, ticketIn } from "../src/session/session.js";

class MemoryStorage {
  readonly values = new Map<string, string>();
  getItem(name: string): string | null {
    return this.values.get(name) ?? null;
  }
  setItem(name: string, value: string): void {
    this.values.set(name, value);
  }
  removeItem(name: string): void {
    this.values.delete(name);
  }
}

describe("a session", () => {
  test("prefers the ticket for its execution, and has none for others", () => {
    const session = new Session(new MemoryStorage());
    session.signIn("fm_test_1");
    session.keepTicket("exec_1", "fm_ticket_1");
    expect(session.credential("exec_1")).toEqual({ kind: "ticket", ticket: "fm_ticket_1" });
    expect(session.credential("exec_2")).toEqual({ kind: "key", key: "fm_test_1" });
    expect(session.credential(null)).toEqual({ kind: "key", key: "fm_test_1" });
    session.dropTicket("exec_1");
    expect(session.credential("exec_1")).toEqual({ kind: "key", key: "fm_test_1" });
    session.signOut();
    expect(session.credential("exec_1")).toBeNull();
  });

  test("gives the same object until something changes, and then tells", () => {
    const session = new Session(new MemoryStorage());
    session.signIn("fm_test_1");
    const before = session.credential(null);
    expect(session.credential(null)).toBe(before);
    let told = 0;
    const stop = session.subscribe(() => {
      told += 1;
    });
    session.signIn("fm_test_2");
    stop();
    session.signOut();
    expect(told).toBe(1);
  });
});

test.each([
  ["#ticket=fm_ticket_v1.a.b", "fm_ticket_v1.a.b"],
  ["#ticket=", null],
  ["#other", null],
  ["", null],
])("the fragment %j brings the ticket %j", (fragment, ticket) => {
  expect(ticketIn(fragment)).toBe(ticket);
});

test.each([
  ["/", "", { page: "home", workflowId: null }],
  ["/", "?workflow=a%20b", { page: "home", workflowId: "a b" }],
  ["/executions/exec_1", "", { page: "execution", executionId: "exec_1" }],
  ["/executions/exec%201/", "", { page: "execution", executionId: "exec 1" }],
  ["/executions/%E0", "", { page: "execution", executionId: "%E0" }],
  ["/executions", "", { page: "unknown" }],
])("the address %s%s is a page", (pathname, search, route) => {
  expect(routeOf(pathname, search)).toEqual(route);
});

describe("a failure", () => {
  const refused = (details: object) => ({ status: 401, code: "expired_api_key", details });

  test("of a ticket says whose time is over", () => {
    const ticket = new ExpiredAPIKey("Expired.", refused({ credential: "ticket" }));
    expect(explain(ticket, "ticket").title).toBe("This link has expired");
    const key = new ExpiredAPIKey("Expired.", refused({ credential: "key" }));
    expect(explain(key, "ticket").title).toMatch(/^The key that this link was made with/);
    const none = new InvalidAPIKey("Invalid.", refused({ credential: "ticket" }));
    expect(explain(none, "ticket").title).toBe("This link opens nothing");
  });

  test("always has one sentence and a way on", () => {
    const fields = { status: 403, code: "x", details: { missing_scope: "executions:read" } };
    for (const error of [
      new ExpiredAPIKey("Expired.", refused({})),
      new InsufficientScope("Lacks.", fields),
      new ResourceNotFound("None.", fields),
      new Error("Anything."),
    ]) {
      const { title, sentence, way } = explain(error, "key");
      expect(title).not.toMatch(/\.$/);
      expect(sentence).toMatch(/\.$/);
      expect(["sign-in", "retry"]).toContain(way);
    }
    expect(explain(new InsufficientScope("Lacks.", fields), "key").sentence).toContain(
      "executions:read",
    );
  });
});
