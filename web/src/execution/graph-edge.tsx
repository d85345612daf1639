import type { Edge, EdgeProps } from "@xyflow/react";
import { memo } from "react";
import { edgePath } from "../graph/edge-path.js";
import { edgeState } from "../graph/edge-state.js";
import type { Point } from "../graph/layout.js";
import { useNode } from "../recording/hooks.js";

export type StepEdge = Edge<
  { readonly handle: string | null; readonly bends: readonly Point[] },
  "step"
>;

export const GraphEdge = memo(function GraphEdge(props: EdgeProps<StepEdge>) {
  const { source, target, sourceX, sourceY, targetX, targetY, data } = props;
  const { handle = null, bends = [] } = data ?? {};
  const state = edgeState(useNode(source), useNode(target), handle);
  const path = edgePath({ x: sourceX, y: sourceY }, { x: targetX, y: targetY }, bends);
  return (
    <g className={`edge is-${state}`}>
      <path d={path} />
      {handle !== null && (
        <text x={targetX - 10} y={targetY - 6} textAnchor="end">
          {handle}
        </text>
      )}
    </g>
  );
});
