/**
 * What the API returns, as the server writes it: field names are the wire's. Fields of a newer
 * server are there at run time, too. Times are ISO 8601 in UTC.
 */

import type { Status } from "./events/models.js";

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Where and how an execution failed. */
export interface ErrorDetails {
  /** What kind of failure it was, for programs. */
  readonly code: string;
  /** The path of the node that failed, if one did. */
  readonly node_id: string | null;
}

/** One run of a workflow. */
export interface Execution {
  readonly id: string;
  readonly workflow_id: string;
  readonly workflow_name: string;
  readonly status: Status;
  readonly inputs: JsonObject;
  readonly outputs: JsonObject | null;
  /** A sentence that says why it failed. */
  readonly error: string | null;
  readonly error_details: ErrorDetails | null;
  readonly created_at: string;
  readonly started_at: string | null;
  /** When it ended, however it ended. */
  readonly completed_at: string | null;
  readonly duration_ms: number | null;
}

/** A workflow at its newest version. */
export interface Workflow {
  readonly id: string;
  readonly name: string;
  readonly description?: string | null;
  /** From 1; every replacement adds one. */
  readonly version: number;
  /** Missing where a server's listing leaves it out. */
  readonly definition?: JsonObject | null;
  /** JSON Schema of an execution's inputs. */
  readonly input_schema?: JsonObject | null;
  readonly created_at?: string;
  readonly updated_at?: string;
}

/** An execution that was accepted; its events can be streamed from the first one on. */
export interface ExecuteResponse {
  readonly execution_id: string;
  readonly workflow_id: string;
  readonly status: Status;
  readonly inputs: JsonObject;
  /** The path of the execution's event stream on the server. */
  readonly events_url: string;
}

/** Opens the event stream of one execution, and nothing else, until it expires. */
export interface Ticket {
  readonly ticket: string;
  readonly expires_at: string;
  /** The path of the execution's event stream on the server, with the ticket in it. */
  readonly events_url: string;
}

/** Where a page lies among all pages. */
export interface Pagination {
  /** From 1. */
  readonly page: number;
  readonly per_page: number;
  readonly total_count: number;
  readonly total_pages: number;
  readonly has_next: boolean;
  readonly has_prev: boolean;
  readonly has_more: boolean;
}
