import {
  type Execution,
  type FlowMaestroClient,
  FlowMaestroError,
  InsufficientScope,
  ResourceNotFound,
} from "@flowmaestro/sdk";
import { useEffect, useState } from "react";
import { type Graph, graphOfDefinition } from "../graph/graph.js";

/** What is known of an execution besides its events: only a key opens it. */
export interface Details {
  readonly execution: Execution | null;
  /** The graph of its workflow; `null` if that is gone, or not for this key. */
  readonly graph: Graph | null;
  /** Whether there is more to come. */
  readonly isLoading: boolean;
}

const NOTHING: Details = { execution: null, graph: null, isLoading: false };
const LOADING: Details = { execution: null, graph: null, isLoading: true };

/** Loads what a key opens; with a ticket, nothing. */
export function useDetails(
  client: FlowMaestroClient,
  executionId: string,
  hasKey: boolean,
): Details {
  const [details, setDetails] = useState(hasKey ? LOADING : NOTHING);
  useEffect(() => {
    if (!hasKey) {
      setDetails(NOTHING);
      return;
    }
    const abort = new AbortController();
    const { signal } = abort;
    const load = async () => {
      const execution = await client.executions.get(executionId, { signal });
      setDetails({ execution, graph: null, isLoading: true });
      const graph = await graphOf(client, execution.workflow_id, signal);
      setDetails({ execution, graph, isLoading: false });
    };
    load().catch((error: unknown) => {
      if (signal.aborted) return;
      // The stream meets the same fate, and says so.
      setDetails((before) => ({ ...before, isLoading: false }));
      if (!(error instanceof FlowMaestroError)) throw error;
    });
    return () => abort.abort();
  }, [client, executionId, hasKey]);
  return details;
}

async function graphOf(
  client: FlowMaestroClient,
  workflowId: string,
  signal: AbortSignal,
): Promise<Graph | null> {
  try {
    const { definition } = await client.workflows.get(workflowId, { signal });
    return graphOfDefinition(definition);
  } catch (error) {
    if (error instanceof ResourceNotFound || error instanceof InsufficientScope) return null;
    throw error;
  }
}
