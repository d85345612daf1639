import type { Point } from "./layout.js";

/** Returns an SVG path that leaves and enters every point to the right. */
export function edgePath(source: Point, target: Point, bends: readonly Point[]): string {
  let path = `M${source.x},${source.y}`;
  let from = source;
  for (const to of [...bends, target]) {
    const middle = (from.x + to.x) / 2;
    path += `C${middle},${from.y} ${middle},${to.y} ${to.x},${to.y}`;
    from = to;
  }
  return path;
}
