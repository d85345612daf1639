/** Which part of a graph is shown. */

import { NODE_HEIGHT, NODE_WIDTH, type Point } from "./layout.js";

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Viewport extends Point {
  readonly zoom: number;
}

const MAX_ZOOM = 1;
const MARGIN = 28;
/** Below these the nodes could not be read, so a part of the graph is shown instead of all. */
const LEAST_ZOOM = 0.3;
const LEAST_ZOOM_NARROW = 0.6;
const NARROW = 640;
const FOLLOWING_ZOOM = 0.75;

/**
 * Returns where to look: at the whole graph if that can be read, else at the node at `focus`.
 *
 * @param positions - the upper left corners of the nodes; at least one.
 * @param focus - `null`: at the whole graph in any case.
 */
export function arrange(positions: readonly Point[], pane: Size, focus: Point | null): Viewport {
  const left = Math.min(...positions.map(({ x }) => x));
  const top = Math.min(...positions.map(({ y }) => y));
  const width = Math.max(...positions.map(({ x }) => x)) + NODE_WIDTH - left;
  const height = Math.max(...positions.map(({ y }) => y)) + NODE_HEIGHT - top;
  const fitting = Math.min(
    MAX_ZOOM,
    (pane.width - 2 * MARGIN) / width,
    (pane.height - 2 * MARGIN) / height,
  );
  const least = pane.width < NARROW ? LEAST_ZOOM_NARROW : LEAST_ZOOM;
  const zoom = fitting >= least || focus === null ? fitting : FOLLOWING_ZOOM;
  const { x, y } = focus ?? { x: left, y: top };
  return {
    zoom,
    x: along(left * zoom, width * zoom, (x + NODE_WIDTH / 2) * zoom, pane.width),
    y: along(top * zoom, height * zoom, (y + NODE_HEIGHT / 2) * zoom, pane.height),
  };
}

/** One direction: centred if it fits, else around the focus, but not past the graph's ends. */
function along(start: number, length: number, focus: number, room: number): number {
  if (length + 2 * MARGIN <= room + 1) return (room - length) / 2 - start;
  const [least, most] = [room - MARGIN - (start + length), MARGIN - start];
  return Math.min(most, Math.max(least, room / 2 - focus));
}
