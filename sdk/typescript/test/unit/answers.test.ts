import { describe, expect, test } from "vitest";
import { type Answer, readError, readPage, readResource } from "../../src/answers.js";
import {
  APIError,
  ERROR_OF_CODE,
  FlowMaestroError,
  RateLimitExceeded,
  ServiceUnavailable,
  UnexpectedResponse,
} from "../../src/errors.js";

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return {
    status,
    header: (name) => headers[name],
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

function failure(code: string, status = 400): Answer {
  const error = { code, message: "It failed.", details: { field: "a" } };
  return answer(status, { error, meta: { request_id: "req_1" } });
}

describe("an error", () => {
  test.each([...ERROR_OF_CODE])("%s has its class", (code, Class) => {
    const error = readError(failure(code), 0);
    expect(error.constructor).toBe(Class);
    expect(error.name).toBe(Class.name);
    expect(error.message).toBe("It failed.");
    expect(error).toMatchObject({ code, status: 400, details: { field: "a" }, requestId: "req_1" });
  });

  test("of a newer server is an APIError", () => {
    expect(readError(failure("out_of_coffee", 418), 0).constructor).toBe(APIError);
  });

  test("has the request's id from the header, too", () => {
    const error = readError(answer(500, "", { "x-request-id": "req_2" }), 0);
    expect(error).toHaveProperty("requestId", "req_2");
  });

  test.each([
    [502, "<html>Bad gateway</html>", APIError],
    [503, "", ServiceUnavailable],
    [429, "[]", RateLimitExceeded],
    [400, '{"error": "bad"}', APIError],
    [400, '{"error": {"code": 1, "message": "x"}}', APIError],
  ])("of something in between keeps its status: %i %s", (status, body, Class) => {
    const error = readError(answer(status, body), 0);
    expect(error.constructor).toBe(Class);
    expect(error).toMatchObject({ status, code: `http_${status}` });
  });

  test.each([0, 301, 308])("a redirect (%i) is no answer of the API", (status) => {
    expect(readError(answer(status, ""), 0)).toBeInstanceOf(UnexpectedResponse);
  });

  test("of every class is a FlowMaestroError", () => {
    for (const code of ERROR_OF_CODE.keys()) {
      expect(readError(failure(code), 0)).toBeInstanceOf(FlowMaestroError);
    }
  });
});

describe("an answer that is not the API's", () => {
  test.each(["<html></html>", "", "null", "[]", "{}", '{"data": []}', '{"data": {"id": 1}}'])(
    "%s is no resource",
    (body) => {
      expect(() => readResource("id", answer(200, body))).toThrow(UnexpectedResponse);
    },
  );

  test.each([
    "{}",
    '{"data": {}}',
    '{"data": []}',
    '{"data": [], "pagination": {}}',
    '{"data": [{}], "pagination": {"page": 1}}',
  ])("%s is no page", (body) => {
    expect(() => readPage(answer(200, body))).toThrow(UnexpectedResponse);
  });
});
