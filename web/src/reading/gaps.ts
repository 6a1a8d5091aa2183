import type { Point } from "../api/client";

export type Plotted = [number, number | null];

interface Look {
  /** Nothing measured for longer than this breaks the line, ms: the staleness limit, and never less than a step. */
  gapMs: number;
  /** States hold until they are stale or the present (nowMs), numbers end with the sample. */
  holdUntilMs: number | null;
}

/**
 * Points for a plot, with a break wherever nothing was measured for longer than `gapMs`, or a value is missing: a line
 * over a gap would show what nobody measured.
 */
export function withGaps(
  points: readonly Pick<Point, "t_ms" | "value">[],
  numberOf: (value: Point["value"]) => number | null,
  { gapMs, holdUntilMs }: Look,
): Plotted[] {
  const plotted: Plotted[] = [];
  const held = (nextMs: number | null) => {
    const last = plotted.at(-1);
    if (!last || last[1] === null || holdUntilMs === null) return;
    const until = Math.min(last[0] + gapMs, nextMs ?? holdUntilMs);
    if (until > last[0]) plotted.push([until, last[1]]);
  };
  let before: number | null = null;
  for (const point of points) {
    if (before !== null && point.t_ms - before > gapMs) {
      held(point.t_ms);
      plotted.push([(plotted.at(-1)?.[0] ?? before) + 1, null]);
    }
    plotted.push([point.t_ms, numberOf(point.value)]);
    before = point.t_ms;
  }
  held(null);
  return plotted;
}

/** The points that no line reaches, for a plot to draw as dots. */
export function alone(plotted: readonly Plotted[]): Plotted[] {
  const missing = (point: Plotted | undefined) => point === undefined || point[1] === null;
  return plotted.filter((point, at) => !missing(point) && missing(plotted[at - 1]) && missing(plotted[at + 1]));
}

/** What was fetched, and after it what came live. Both in order of time. */
export function joined<P extends Pick<Point, "t_ms">>(fetched: readonly P[], live: readonly P[]): P[] {
  const end = fetched.at(-1)?.t_ms ?? -Infinity;
  return [...fetched, ...live.filter((point) => point.t_ms > end)];
}
