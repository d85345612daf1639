import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import { memo, type ReactNode } from "react";
import { useNode, usePlayer } from "../recording/hooks.js";
import { elapsedMs, type InnerCounts, type NodeView } from "../run/node-view.js";
import { useTick } from "../ui/clock.js";
import { formatDuration } from "../ui/format.js";
import { StatusIcon } from "../ui/status.js";

export type StepNode = Node<{ readonly name: string; readonly type: string }, "step">;

/** A node of the graph. What is behind it comes from the player, so only it renders anew. */
export const GraphNode = memo(function GraphNode({ id, data, selected }: NodeProps<StepNode>) {
  const node = useNode(id);
  const status = node?.status ?? "pending";
  const attempts = node?.attempts.length ?? 0;
  return (
    <div className={`step is-${status}`} data-selected={selected} data-node={id}>
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <span className="step-head">
        <StatusIcon status={status} />
        <span className="step-name" title={data.name}>
          {data.name}
        </span>
      </span>
      <span className="step-foot">
        {/* There is no room for both. */}
        {attempts < 2 && <span className="step-type">{data.type}</span>}
        {node !== undefined && <Facts node={node} />}
      </span>
      {node?.status === "running" && node.progress !== null && (
        <span className="step-progress" style={{ transform: `scaleX(${node.progress / 100})` }} />
      )}
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
});

function Facts({ node }: { node: NodeView }): ReactNode {
  const player = usePlayer();
  const isActive = node.status === "running" || node.status === "retrying";
  useTick(isActive);
  const nowMs = player.nowMs();
  if (node.status === "retrying" && node.retryAtMs !== null) {
    const seconds = Math.max(0, node.retryAtMs - nowMs) / 1_000;
    return <span className="numbers warn">retry in {seconds.toFixed(1)} s</span>;
  }
  const elapsed = elapsedMs(node, nowMs);
  const attempt = node.attempts.at(-1)?.number ?? 1;
  return (
    <span className="numbers">
      {attempt > 1 && <span className="step-attempt">attempt {attempt}</span>}
      {node.inner !== null && <Inner inner={node.inner} scopes={node.scopes} />}
      {elapsed !== null && <span>{formatDuration(elapsed)}</span>}
    </span>
  );
}

/** What a container holds: how many of the nodes inside have settled. */
function Inner({ inner, scopes }: { inner: InnerCounts; scopes: number | null }): ReactNode {
  const settled = inner.completed + inner.failed + inner.skipped + inner.stopped;
  const begun = settled + inner.running + inner.retrying + inner.pending;
  const runs = scopes === null || scopes < 2 ? "" : ` in ${scopes} runs`;
  return (
    <span className="step-inner" title={`${settled} of ${begun} steps begun have ended${runs}`}>
      {scopes !== null && scopes > 1 && <b>×{scopes}</b>} {settled}/{begun}
      {inner.failed > 0 && <span className="bad"> {inner.failed} failed</span>}
    </span>
  );
}
