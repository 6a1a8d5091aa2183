import { api, data, type MetricWord, type Point } from "../api/client";

const HOUR = 3_600_000;
export const RANGES = { hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR } as const;
export type Range = keyof typeof RANGES;

/** A step for each range, ms, so that a plot has some hundred points. */
const STEP_MS: Record<Range, number> = { hour: 10_000, day: 300_000, week: 1_800_000 };
const POINTS_MAX = 1000;

/** The points, and how they were gathered; stepMs null: every sample. */
export interface Series {
  points: Point[];
  stepMs: number | null;
}

/**
 * The series of a metric up to now. Every sample for the hour if they are few enough, else one value a step: the mean of
 * numbers, the last of states. Throws ProblemError.
 */
export async function load(device: string, word: MetricWord, range: Range, nowMs: number): Promise<Series> {
  const ask = (step: { step_ms: number; aggregate: "mean" | "last" } | object) =>
    data(
      api.GET("/api/v1/devices/{device_id}/telemetry", {
        params: {
          path: { device_id: device },
          query: { metric: word.name, start_ms: nowMs - RANGES[range], end_ms: nowMs + 60_000, limit: POINTS_MAX, ...step },
        },
      }),
    );
  if (range === "hour") {
    const every = await ask({});
    if (!every.next_cursor) return { points: every.points, stepMs: null };
  }
  const stepMs = STEP_MS[range];
  const { points } = await ask({ step_ms: stepMs, aggregate: word.type === "number" ? "mean" : "last" });
  return { points, stepMs };
}
