"use client"; // frameworks with server components must know

/** React hooks of the FlowMaestro SDK. */

export type { ExecutionState, NodeState, NodeStatus } from "./execution-state.js";
export type { ConnectionState, ExecutionSnapshot } from "./execution-store.js";
export { type UseExecutionOptions, useExecution } from "./use-execution.js";
