import type { Point } from "../api/client";

export type Plotted = [number, number | null];

/**
 * Points for a plot, with a break wherever nothing was measured for longer than `gapMs`, or a value is missing: a line
 * over a gap would show what nobody measured.
 */
export function withGaps(points: readonly Pick<Point, "t_ms" | "value">[], gapMs: number, numberOf: (value: Point["value"]) => number | null): Plotted[] {
  const plotted: Plotted[] = [];
  let before: number | null = null;
  for (const point of points) {
    if (before !== null && point.t_ms - before > gapMs) plotted.push([before + 1, null]);
    plotted.push([point.t_ms, numberOf(point.value)]);
    before = point.t_ms;
  }
  return plotted;
}
