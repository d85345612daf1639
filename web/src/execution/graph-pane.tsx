import {
  type NodeChange,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore,
} from "@xyflow/react";
import { memo, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type Graph, graphOfNodes, holds } from "../graph/graph.js";
import { type Layout, layoutGraph, layoutNodes, NODE_HEIGHT, NODE_WIDTH } from "../graph/layout.js";
import { arrange } from "../graph/viewport.js";
import { usePlayer, usePlayerState } from "../recording/hooks.js";
import type { NodeView } from "../run/node-view.js";
import { GraphEdge, type StepEdge } from "./graph-edge.js";
import { GraphNode, type StepNode } from "./graph-node.js";
import type { Select, Selection } from "./selection.js";

interface GraphPaneProps {
  /** The workflow's; `null`: only what the events say is known. */
  readonly graph: Graph | null;
  readonly isLoading: boolean;
  readonly selection: Selection | null;
  readonly select: Select;
}

const NODE_TYPES = { step: GraphNode };
const EDGE_TYPES = { step: GraphEdge };
/** Below this zoom a node shows its status and nothing else. */
const FAR_ZOOM = 0.42;
const MOVE_MS = 240;
const SETTLE_MS = 60;

export function GraphPane({ graph, isLoading, selection, select }: GraphPaneProps): ReactNode {
  const begun = useBegun();
  const { summary } = usePlayerState();
  const fits =
    graph !== null &&
    (summary.ownNodes === null || summary.ownNodes === graph.nodes.length) &&
    begun.every((node) => holds(graph, node));
  const shown = useShown(fits ? graph : null, begun);
  const selectedId = selection?.kind === "node" ? selection.id : null;
  const isEmpty = shown.graph.nodes.length === 0;
  return (
    <section className="graph" aria-label="Graph of the steps">
      {!isLoading && !isEmpty && (
        <ReactFlowProvider>
          <Flow {...shown} begun={begun} selectedId={selectedId} select={select} />
        </ReactFlowProvider>
      )}
      {!isLoading && isEmpty && (
        <p className="empty">{summary.endedMs === null ? "No step has begun yet." : "No step."}</p>
      )}
      {!isLoading && graph !== null && !fits && (
        <p className="graph-note">
          The workflow was changed after this execution began, so its steps are shown in the order
          in which they ran.
        </p>
      )}
    </section>
  );
}

/** The workflow's own nodes that have begun. */
function useBegun(): readonly NodeView[] {
  const player = usePlayer();
  const { begun } = usePlayerState();
  const before = useRef<{ begun: number; nodes: readonly NodeView[] }>({ begun: -1, nodes: [] });
  if (before.current.begun !== begun) {
    const nodes = player.order
      .map((id) => player.node(id))
      .filter((node) => node !== undefined && node.depth === 0) as NodeView[];
    // What is inside of containers changes nothing here.
    const isSame = nodes.length === before.current.nodes.length;
    before.current = { begun, nodes: isSame ? before.current.nodes : nodes };
  }
  return before.current.nodes;
}

interface Shown {
  readonly graph: Graph;
  readonly layout: Layout;
}

function useShown(graph: Graph | null, begun: readonly NodeView[]): Shown {
  const defined = useMemo(
    () => (graph === null ? null : { graph, layout: layoutGraph(graph) }),
    [graph],
  );
  const observed = useMemo(
    () => (graph === null ? { graph: graphOfNodes(begun), layout: layoutNodes(begun) } : null),
    [graph, begun],
  );
  return (defined ?? observed) as Shown;
}

interface FlowProps extends Shown {
  readonly begun: readonly NodeView[];
  readonly selectedId: string | null;
  readonly select: Select;
}

const Flow = memo(function Flow({ graph, layout, begun, selectedId, select }: FlowProps) {
  const plain = useMemo(
    () =>
      graph.nodes.map(
        ({ id, name, type }): StepNode => ({
          id,
          type: "step",
          position: layout.positions.get(id) ?? { x: 0, y: 0 },
          width: NODE_WIDTH,
          height: NODE_HEIGHT,
          data: { name, type },
          ariaLabel: type === "" ? name : `${name}, ${type}`,
        }),
      ),
    [graph, layout],
  );
  const nodes = useMemo(
    () =>
      selectedId === null
        ? plain
        : plain.map((node) => (node.id === selectedId ? { ...node, selected: true } : node)),
    [plain, selectedId],
  );
  const edges = useMemo(
    () =>
      graph.edges.map(
        ({ id, source, target, handle }): StepEdge => ({
          id,
          source,
          target,
          type: "step",
          focusable: false,
          data: { handle, bends: layout.bends.get(id) ?? [] },
        }),
      ),
    [graph, layout],
  );
  // Enter on a node that has the focus comes as a change of the selection.
  const onNodesChange = useCallback(
    (changes: readonly NodeChange<StepNode>[]) => {
      for (const change of changes) {
        if (change.type === "select" && change.selected) select({ kind: "node", id: change.id });
      }
    },
    [select],
  );
  const onPaneClick = useCallback(() => select(null), [select]);
  const isFar = useStore((state) => state.transform[2] < FAR_ZOOM);
  const { onMoveStart, showAll, setFree } = useViewport(layout, begun);
  return (
    <ReactFlow
      className={isFar ? "is-far" : ""}
      nodes={nodes}
      edges={edges}
      nodeTypes={NODE_TYPES}
      edgeTypes={EDGE_TYPES}
      onNodesChange={onNodesChange}
      onPaneClick={onPaneClick}
      onMoveStart={onMoveStart}
      nodesDraggable={false}
      nodesConnectable={false}
      deleteKeyCode={null}
      multiSelectionKeyCode={null}
      selectionKeyCode={null}
      elevateNodesOnSelect={false}
      onlyRenderVisibleElements
      minZoom={0.04}
      maxZoom={1.6}
      preventScrolling={false}
      zoomOnScroll={false}
      panOnScroll={false}
      disableKeyboardA11y={false}
    >
      <ZoomButtons onAll={showAll} onZoom={setFree} />
    </ReactFlow>
  );
});

/** Keeps what matters in view until the reader looks elsewhere. */
function useViewport(layout: Layout, begun: readonly NodeView[]) {
  const { setViewport } = useReactFlow();
  const width = useStore((state) => state.width);
  const height = useStore((state) => state.height);
  const [mode, setMode] = useState<"follow" | "all" | "free">("follow");
  const isFirst = useRef(true);
  const latest = begun.findLast(({ status }) => status !== "skipped") ?? begun.at(-1);
  const latestId = latest?.id ?? "";
  useEffect(() => {
    const positions = [...layout.positions.values()];
    const first = positions[0];
    if (mode === "free" || first === undefined || width === 0) return;
    const focus = mode === "all" ? null : (layout.positions.get(latestId) ?? first);
    const move = (duration: number) =>
      void setViewport(arrange(positions, { width, height }, focus), { duration });
    if (isFirst.current) {
      isFirst.current = false;
      move(0);
      return;
    }
    // Nodes often begin one right after the other: the view goes to the last of them.
    const timer = setTimeout(move, SETTLE_MS, MOVE_MS);
    return () => clearTimeout(timer);
  }, [layout, latestId, width, height, mode, setViewport]);
  const onMoveStart = useCallback((event: MouseEvent | TouchEvent | null) => {
    if (event !== null) setMode("free"); // the reader's own hand
  }, []);
  return { onMoveStart, showAll: () => setMode("all"), setFree: () => setMode("free") };
}

interface ZoomButtonsProps {
  readonly onAll: () => void;
  readonly onZoom: () => void;
}

function ZoomButtons({ onAll, onZoom }: ZoomButtonsProps): ReactNode {
  const { zoomIn, zoomOut } = useReactFlow();
  const zoom = (change: typeof zoomIn) => {
    onZoom();
    void change({ duration: MOVE_MS });
  };
  return (
    <fieldset className="zoom" aria-label="Zoom">
      <button type="button" onClick={() => zoom(zoomOut)} aria-label="Zoom out">
        −
      </button>
      <button type="button" onClick={onAll} title="Show the whole graph">
        All
      </button>
      <button type="button" onClick={() => zoom(zoomIn)} aria-label="Zoom in">
        +
      </button>
    </fieldset>
  );
}
