/** From an HTTP answer to the value it stands for, or to the error. */

import { parseRetryAfter } from "./backoff.js";
import {
  APIError,
  type APIErrorClass,
  CursorExpired,
  ERROR_OF_CODE,
  type FlowMaestroError,
  PayloadTooLarge,
  RateLimitExceeded,
  ServiceUnavailable,
  UnexpectedResponse,
} from "./errors.js";
import type { Pagination } from "./models.js";

/** A whole HTTP response. */
export interface Answer {
  readonly status: number;
  /** Looks a header up, in any case. */
  readonly header: (name: string) => string | undefined;
  readonly body: string;
}

/** What errors that come from something in between, such as a proxy, and have no code, come as. */
const ERROR_OF_STATUS: ReadonlyMap<number, APIErrorClass> = new Map<number, APIErrorClass>([
  [410, CursorExpired],
  [413, PayloadTooLarge],
  [429, RateLimitExceeded],
  [503, ServiceUnavailable],
]);

/** Whether the request was carried out. */
export function isOk(status: number): boolean {
  return status >= 200 && status < 300;
}

/**
 * Returns the resource that a successful `answer` holds as `data`.
 *
 * @param idField - a field that every such resource has: what is not FlowMaestro's lacks it.
 * @throws {@link UnexpectedResponse} the answer holds none.
 */
export function readResource<Resource>(idField: string, answer: Answer): Resource {
  return asResource<Resource>(idField, envelope(answer).data, answer);
}

/**
 * Returns the items and the place of the page that a successful `answer` holds.
 *
 * @throws {@link UnexpectedResponse} the answer holds no page.
 */
export function readPage<Resource>(answer: Answer): {
  items: readonly Resource[];
  pagination: Pagination;
} {
  const { data, pagination } = envelope(answer);
  if (!Array.isArray(data)) throw unexpected(answer, "its data is no list");
  if (!isObject(pagination) || typeof pagination.page !== "number") {
    throw unexpected(answer, "it has no pagination");
  }
  return {
    items: data.map((item) => asResource<Resource>("id", item, answer)),
    pagination: pagination as unknown as Pagination,
  };
}

/**
 * Returns the page of events that a successful `answer` holds; the events are not looked at.
 *
 * @throws {@link UnexpectedResponse} the answer holds none.
 */
export function readEventPage(answer: Answer): { data: readonly unknown[]; done: boolean } {
  const { data, done } = envelope(answer);
  if (!Array.isArray(data)) throw unexpected(answer, "its data is no list");
  return { data, done: done === true };
}

/**
 * Returns the error that a failed `answer` stands for.
 *
 * One that is not of the API's shape (a proxy's page) becomes an {@link APIError} with the code
 * `http_STATUS`, so that its status is not lost.
 *
 * @param now - the present moment, in milliseconds since 1970.
 */
export function readError(answer: Answer, now: number): FlowMaestroError {
  const { status } = answer;
  const retryAfterMs = parseRetryAfter(answer.header("retry-after"), now);
  const body = parse(answer.body);
  const error = isObject(body) ? body.error : undefined;
  const meta = isObject(body) && isObject(body.meta) ? body.meta : {};
  const requestId = answer.header("x-request-id") ?? (meta.request_id as string | undefined);
  if (isObject(error) && typeof error.code === "string" && typeof error.message === "string") {
    const { code, message, details } = error;
    const Class = ERROR_OF_CODE.get(code) ?? APIError;
    return new Class(message, { status, code, details, requestId, retryAfterMs });
  }
  // A browser tells neither the status nor the target of a redirect that is not followed.
  if (status === 0 || (status >= 300 && status < 400)) {
    return unexpected(answer, "it redirects to another address");
  }
  const Class = ERROR_OF_STATUS.get(status) ?? APIError;
  return new Class(`The server answered with status ${status}.`, {
    status,
    code: `http_${status}`,
    requestId,
    retryAfterMs,
  });
}

function envelope(answer: Answer): Record<string, unknown> {
  const body = parse(answer.body);
  if (!isObject(body)) throw unexpected(answer, "it is no JSON object");
  return body;
}

function asResource<Resource>(idField: string, data: unknown, answer: Answer): Resource {
  if (!isObject(data)) throw unexpected(answer, "its data is no object");
  if (typeof data[idField] !== "string") throw unexpected(answer, `its data has no ${idField}`);
  return data as Resource;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unexpected({ status }: Answer, reason: string): UnexpectedResponse {
  return new UnexpectedResponse(
    `The answer (status ${status}) is not one of FlowMaestro's API: ${reason}. Check the base URL.`,
    status,
  );
}
