import { expect, test } from "vitest";
import { connectionFailed } from "../../src/requests/faults.js";

const SERVER = "http://a.example";

function coded(code: string, message = "reason"): Error {
  return Object.assign(new Error(message), { code });
}

test.each([
  ["Node", new TypeError("fetch failed", { cause: coded("ECONNREFUSED") })],
  [
    "Node, of a name with several addresses",
    new TypeError("fetch failed", {
      cause: new AggregateError([coded("ECONNREFUSED"), coded("ENETUNREACH")]),
    }),
  ],
  ["Node, of a certificate", new TypeError("fetch failed", { cause: coded("CERT_HAS_EXPIRED") })],
  ["Bun", coded("ConnectionRefused")],
  ["Deno", new TypeError("error sending request: client error (Connect): reason")],
])("a request that never left, as %s says it", (_, error) => {
  const failed = connectionFailed(SERVER, error);
  expect(failed).toMatchObject({ sent: false, cause: error });
  expect(failed.message).toMatch(/^No connection to http:\/\/a\.example: .*reason$/);
});

test.each([
  ["a connection that broke", new TypeError("terminated", { cause: coded("UND_ERR_SOCKET") })],
  ["a browser, which does not say", new TypeError("Failed to fetch")],
  ["what is no error", "reason"],
])("%s may have left", (_, error) => {
  expect(connectionFailed(SERVER, error)).toMatchObject({ sent: true, cause: error });
});
