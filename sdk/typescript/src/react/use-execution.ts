import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { FlowMaestroClient } from "../client.js";
import type { ExtensionType, StreamEvent } from "../events/models.js";
import type { TicketSource } from "../streaming/stream-options.js";
import { type ExecutionSnapshot, ExecutionStore, IDLE } from "./execution-store.js";

export interface UseExecutionOptions {
  /** What to follow it with. Keep it outside of the component: another client begins anew. */
  readonly client: FlowMaestroClient;
  /**
   * Extension events to ask for. `node:retrying` and `node:skipped` show in `nodes`; the others are
   * for `onEvent`. Default: those two.
   */
  readonly include?: readonly (ExtensionType | (string & {}))[] | undefined;
  /** Sent instead of the client's key; see `ticket` of `StreamOptions`. */
  readonly ticket?: TicketSource | undefined;
  /** Called with each event, once, in order. */
  readonly onEvent?: ((event: StreamEvent) => void) | undefined;
}

const SHOWN_EXTENSIONS: readonly ExtensionType[] = ["node:retrying", "node:skipped"];

/**
 * Follows an execution, live, while the component is mounted, and returns how it stands.
 *
 * The snapshot is the same object until something changes; so is each node in it.
 *
 * @param executionId - `null` or `undefined` follows nothing, for an execution that is still to come.
 */
export function useExecution(
  executionId: string | null | undefined,
  { client, include = SHOWN_EXTENSIONS, ticket, onEvent }: UseExecutionOptions,
): ExecutionSnapshot {
  const latest = useRef({ ticket, onEvent });
  useEffect(() => {
    latest.current = { ticket, onEvent };
  });
  const included = include.join(",");
  const store = useMemo(() => {
    if (executionId == null) return undefined;
    return new ExecutionStore(client, executionId, {
      include: included === "" ? [] : included.split(","),
      ticket: () => latest.current.ticket,
      onEvent: (event) => latest.current.onEvent?.(event),
    });
  }, [client, executionId, included]);
  return useSyncExternalStore(
    store?.subscribe ?? subscribeToNothing,
    store?.getSnapshot ?? getIdle,
    getIdle,
  );
}

const subscribeToNothing = () => () => {};
const getIdle = () => IDLE;
