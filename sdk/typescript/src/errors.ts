/**
 * What the SDK throws. Every error carries its fields; the platform's own error is its `cause`.
 *
 * ```text
 * FlowMaestroError
 * ├── ConfigurationError          the client was made or called with something it cannot use
 * ├── APIError                    the server answered with an error; one class for each code:
 * │   ├── AuthenticationError         401
 * │   │   ├── InvalidAPIKey               invalid_api_key
 * │   │   ├── ExpiredAPIKey               expired_api_key
 * │   │   └── RevokedAPIKey               revoked_api_key
 * │   ├── InsufficientScope           403 insufficient_scope
 * │   ├── ResourceNotFound            404 resource_not_found
 * │   ├── ValidationError             400 validation_error
 * │   ├── NotAcceptable               406 not_acceptable
 * │   ├── CursorExpired               410 cursor_expired
 * │   ├── PayloadTooLarge             413 payload_too_large
 * │   ├── RateLimitExceeded           429 rate_limit_exceeded
 * │   ├── InternalServerError         500 internal_error
 * │   └── ServiceUnavailable          503 service_unavailable
 * ├── UnexpectedResponse          the answer is not one of FlowMaestro's API
 * ├── TransportError              there was no whole answer
 * │   ├── ConnectionFailed            no connection, or it broke
 * │   └── RequestTimeout              the server took too long
 * ├── StreamError                 a stream could not go on, and reconnecting did not help
 * │   ├── StreamInterrupted           it ended before the execution did
 * │   ├── StreamStalled               it went silent
 * │   └── StreamProtocolError         it carried what no stream carries
 * └── DeadlineExceeded            the time the caller gave is over
 * ```
 *
 * No message holds an API key or a ticket. Names are written out because a minifier changes those
 * of classes, and are literal types because classes of one shape would be one type.
 */

/** The root of what the SDK throws, except what an `AbortSignal` of the caller's own brings. */
export class FlowMaestroError extends Error {
  override readonly name: string = "FlowMaestroError";
}

/** The client was made or called with something it cannot use; nothing was sent. */
export class ConfigurationError extends FlowMaestroError {
  override readonly name = "ConfigurationError";
}

/** What an {@link APIError} is made of. */
export interface APIErrorFields {
  /** The HTTP status. */
  readonly status: number;
  /** The part for programs, such as `resource_not_found`. */
  readonly code: string;
  /** More for programs; what it holds depends on the code. */
  readonly details?: unknown;
  /** What the server calls this request in its logs, if it said so. */
  readonly requestId?: string | undefined;
  /** How long the server asks to wait, in milliseconds, if it does. */
  readonly retryAfterMs?: number | undefined;
}

/** The server answered with an error. Codes that have no class of their own come as this one. */
export class APIError extends FlowMaestroError implements APIErrorFields {
  override readonly name: string = "APIError";
  readonly status: number;
  readonly code: string;
  readonly details: unknown;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;

  /** @param message - the server's sentence for people. */
  constructor(message: string, fields: APIErrorFields) {
    super(message);
    this.status = fields.status;
    this.code = fields.code;
    this.details = fields.details;
    this.requestId = fields.requestId;
    this.retryAfterMs = fields.retryAfterMs;
  }
}

/** The API key, or the ticket, does not open the door. */
export class AuthenticationError extends APIError {
  override readonly name:
    | "AuthenticationError"
    | "InvalidAPIKey"
    | "ExpiredAPIKey"
    | "RevokedAPIKey" = "AuthenticationError";
}

/** There is no such key, or the request carried none. */
export class InvalidAPIKey extends AuthenticationError {
  override readonly name = "InvalidAPIKey";
}

/** The key was good until its day of expiry. */
export class ExpiredAPIKey extends AuthenticationError {
  override readonly name = "ExpiredAPIKey";
}

/** Somebody revoked the key. */
export class RevokedAPIKey extends AuthenticationError {
  override readonly name = "RevokedAPIKey";
}

/** The key may not do this; `details` names the scope it lacks. */
export class InsufficientScope extends APIError {
  override readonly name = "InsufficientScope";
}

/** The workflow or execution does not exist, or belongs to another workspace. */
export class ResourceNotFound extends APIError {
  override readonly name = "ResourceNotFound";
}

/** The request is wrong; `details` says where and why. */
export class ValidationError extends APIError {
  override readonly name = "ValidationError";
}

/** The resource does not come in the format asked for. */
export class NotAcceptable extends APIError {
  override readonly name = "NotAcceptable";
}

/** The events after the cursor are no longer retained. */
export class CursorExpired extends APIError {
  override readonly name = "CursorExpired";
}

/** The request is larger than the server takes. */
export class PayloadTooLarge extends APIError {
  override readonly name = "PayloadTooLarge";
}

/** The key made too many requests; `retryAfterMs` says when it may go on. */
export class RateLimitExceeded extends APIError {
  override readonly name = "RateLimitExceeded";
}

/** Something went wrong inside the server. */
export class InternalServerError extends APIError {
  override readonly name = "InternalServerError";
}

/** The server cannot do it now: it is starting, stopping or overloaded. */
export class ServiceUnavailable extends APIError {
  override readonly name = "ServiceUnavailable";
}

/**
 * The answer is not one of FlowMaestro's API: the base URL leads somewhere else, or something
 * between here and there answered.
 */
export class UnexpectedResponse extends FlowMaestroError {
  override readonly name = "UnexpectedResponse";

  /** @param status - the answer's HTTP status; 0 if the platform does not tell. */
  constructor(
    message: string,
    readonly status: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** There was no whole answer, so nobody knows whether the request was carried out. */
export class TransportError extends FlowMaestroError {
  override readonly name: "TransportError" | "ConnectionFailed" | "RequestTimeout" =
    "TransportError";
}

/** No connection could be made, or it broke before the answer was whole. */
export class ConnectionFailed extends TransportError {
  override readonly name = "ConnectionFailed";

  /** @param sent - `false` if it is certain that the request never reached the server. */
  constructor(
    message: string,
    readonly sent: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The server took longer to answer than `timeout` allows. */
export class RequestTimeout extends TransportError {
  override readonly name = "RequestTimeout";
}

/** A stream could not go on. */
export class StreamError extends FlowMaestroError {
  override readonly name: string = "StreamError";

  /** @param lastEventId - the cursor to go on from. */
  constructor(
    message: string,
    readonly lastEventId: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The response ended before the execution did. */
export class StreamInterrupted extends StreamError {
  override readonly name = "StreamInterrupted";
}

/** Nothing came for longer than the stall timer allows, not even a heartbeat. */
export class StreamStalled extends StreamError {
  override readonly name = "StreamStalled";
}

/** The server sent what no stream carries, and sent it again after a reconnect. */
export class StreamProtocolError extends StreamError {
  override readonly name = "StreamProtocolError";
}

/**
 * The time that the caller gave is over; the execution itself goes on. The `cause`, if there is
 * one, is what kept the stream from going on.
 */
export class DeadlineExceeded extends FlowMaestroError {
  override readonly name = "DeadlineExceeded";
}

export type APIErrorClass = new (message: string, fields: APIErrorFields) => APIError;

/** The class that each error code comes as. */
export const ERROR_OF_CODE: ReadonlyMap<string, APIErrorClass> = new Map<string, APIErrorClass>([
  ["invalid_api_key", InvalidAPIKey],
  ["expired_api_key", ExpiredAPIKey],
  ["revoked_api_key", RevokedAPIKey],
  ["insufficient_scope", InsufficientScope],
  ["resource_not_found", ResourceNotFound],
  ["validation_error", ValidationError],
  ["not_acceptable", NotAcceptable],
  ["cursor_expired", CursorExpired],
  ["payload_too_large", PayloadTooLarge],
  ["rate_limit_exceeded", RateLimitExceeded],
  ["internal_error", InternalServerError],
  ["service_unavailable", ServiceUnavailable],
]);
