import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { FlowMaestroClient } from "../../src/client.js";
import { ConfigurationError } from "../../src/errors.js";
import { apiUrl, type FlowMaestroClientOptions, resolveOptions } from "../../src/options.js";

const resolve = (options: FlowMaestroClientOptions, environment: Record<string, string> = {}) =>
  resolveOptions(options, (name) => environment[name]);

describe("the API key", () => {
  test("comes from the environment if none is given", () => {
    expect(resolve({}, { FLOWMAESTRO_API_KEY: "fm_test_1" }).apiKey).toBe("fm_test_1");
    expect(resolve({ apiKey: "mine" }, { FLOWMAESTRO_API_KEY: "other" }).apiKey).toBe("mine");
  });

  test("null is none, whatever the environment says", () => {
    expect(resolve({ apiKey: null }, { FLOWMAESTRO_API_KEY: "fm_test_1" }).apiKey).toBeNull();
  });

  test.each([undefined, "", "  "])("%j is missing", (apiKey) => {
    expect(() => resolve({ apiKey })).toThrow(
      new ConfigurationError("No API key: pass apiKey or set FLOWMAESTRO_API_KEY."),
    );
  });

  test.each(["a b", "a\nb", "kéy"])("%j cannot be sent", (apiKey) => {
    expect(() => resolve({ apiKey })).toThrow(ConfigurationError);
  });

  test("is not shown with the client", () => {
    const client = new FlowMaestroClient({ apiKey: "fm_live_secret" });
    expect(inspect(client, { depth: 9, showHidden: true })).not.toContain("secret");
    expect(JSON.stringify(client)).not.toContain("secret");
  });
});

describe("the base URL", () => {
  test("comes from the environment, or is this machine", () => {
    expect(resolve({ apiKey: "k" }).baseUrl).toBe("http://127.0.0.1:8000/api/v1");
    expect(resolve({ apiKey: "k" }, { FLOWMAESTRO_BASE_URL: "https://a.example" }).baseUrl).toBe(
      "https://a.example/api/v1",
    );
  });

  test.each([
    ["https://a.example", "https://a.example/api/v1"],
    ["https://a.example/", "https://a.example/api/v1"],
    ["https://a.example/v1", "https://a.example/v1"],
    ["https://a.example/api/v1/", "https://a.example/api/v1"],
    ["http://[::1]:8000/flows?x#y", "http://[::1]:8000/flows/api/v1"],
    [" https://a.example ", "https://a.example/api/v1"],
  ])("%s", (given, expected) => {
    expect(apiUrl(given)).toBe(expected);
  });

  test.each(["a.example", "ftp://a.example", "http://", "/api"])("%s is none", (given) => {
    expect(() => apiUrl(given)).toThrow(ConfigurationError);
  });

  test("with a password is refused, and not shown", () => {
    expect(() => apiUrl("http://me:s3cret@a.example")).toThrow(ConfigurationError);
    expect(() => apiUrl("http://me:s3cret@a.example")).not.toThrow(/s3cret/);
    expect(() => apiUrl("ftp://me:s3cret@a.example")).not.toThrow(/s3cret/);
  });
});

test.each([
  { timeout: 0 },
  { timeout: Number.NaN },
  { stallMs: -1 },
  { maxRetries: -1 },
  { maxRetries: 1.5 },
])("%j cannot be used", (options) => {
  expect(() => resolve({ apiKey: "k", ...options })).toThrow(ConfigurationError);
});
