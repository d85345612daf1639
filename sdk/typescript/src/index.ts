/**
 * The TypeScript SDK of FlowMaestro.
 *
 * Reading order: `client`, `workflows` and `executions` (what a caller uses), `requests/calls` (what
 * is sent), `answers` and `models` (what comes back), `errors`; then the two policies, written
 * without I/O: `requests/retries` (plain requests, driven by `requests/connector`) and
 * `streaming/resume` (streams, driven by `streaming/event-stream`). `react/` is a package of its own.
 */

export type { Backoff } from "./backoff.js";
export { FlowMaestroClient } from "./client.js";
export {
  APIError,
  type APIErrorFields,
  AuthenticationError,
  ConfigurationError,
  ConnectionFailed,
  CursorExpired,
  DeadlineExceeded,
  ExpiredAPIKey,
  FlowMaestroError,
  InsufficientScope,
  InternalServerError,
  InvalidAPIKey,
  NotAcceptable,
  PayloadTooLarge,
  RateLimitExceeded,
  RequestTimeout,
  ResourceNotFound,
  RevokedAPIKey,
  ServiceUnavailable,
  StreamError,
  StreamInterrupted,
  StreamProtocolError,
  StreamStalled,
  TransportError,
  UnexpectedResponse,
  ValidationError,
} from "./errors.js";
export type * from "./events/models.js";
export { EVENT_TYPES, EXTENSION_TYPES, isTerminal, isUnknown } from "./events/types.js";
export type {
  CancelOptions,
  Executions,
  ListExecutionsOptions,
  TicketOptions,
  WaitOptions,
} from "./executions.js";
export type * from "./models.js";
export type { Fetch, FlowMaestroClientOptions } from "./options.js";
export type { Page } from "./pages.js";
export type { Reconnecting } from "./streaming/actions.js";
export type { EventStream } from "./streaming/event-stream.js";
export type {
  NativeStreamOptions,
  StreamOptions,
  TicketSource,
} from "./streaming/stream-options.js";
export type {
  EventHandlers,
  NativeStreamHandlers,
  StreamHandlers,
  Subscription,
} from "./streaming/subscription.js";
export type {
  CreateWorkflowOptions,
  ExecuteOptions,
  PageOptions,
  RequestOptions,
  Workflows,
} from "./workflows.js";
