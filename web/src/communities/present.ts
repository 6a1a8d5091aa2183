/** What a device is at present, out of its latest values. Past the staleness limit it is unknown. Pure. */
import type { Device, MetricWord } from "../api/client";
import type { Metrics } from "../live/stream";
import { isStale } from "../reading/format";

export type PlaceStatus = "free" | "occupied" | "reserved" | "closed" | "out_of_service" | "unknown";
export type WordOf = (metric: string) => MetricWord | undefined;

/** The metric's value if it is there, good and fresh; else undefined. */
export function fresh(metrics: Metrics | undefined, name: string, word: WordOf, nowMs: number) {
  const state = metrics?.[name];
  if (!state || state.value === null || state.quality === "bad" || isStale(state, word(name), nowMs)) return undefined;
  return state.value;
}

export function placeStatus(metrics: Metrics | undefined, word: WordOf, nowMs: number): PlaceStatus {
  const value = fresh(metrics, "spot_status", word, nowMs);
  return value === "free" || value === "occupied" || value === "closed" ? value : "unknown";
}

export function chargerStatus(metrics: Metrics | undefined, word: WordOf, nowMs: number): PlaceStatus {
  const value = fresh(metrics, "connector_status", word, nowMs);
  if (value === undefined) return "unknown";
  if (value === "Available") return "free";
  if (value === "Reserved") return "reserved";
  return value === "Faulted" || value === "Unavailable" ? "out_of_service" : "occupied";
}

const ALARMS = ["water_leak", "smoke_alarm", "fire_alarm", "tilt_alarm", "fault"];

/** The alarms that this device raises now. */
export function alarmsOf(metrics: Metrics | undefined, word: WordOf, nowMs: number): string[] {
  const raised = ALARMS.filter((name) => fresh(metrics, name, word, nowMs) === true);
  return fresh(metrics, "connector_status", word, nowMs) === "Faulted" ? [...raised, "connector_status"] : raised;
}

export const BIN_FULL = 80;

/** How full a bin is, %, as it says itself; 100 on its full alarm; else undefined (a bare distance needs the height of the bin). */
export function fillLevel(metrics: Metrics | undefined, word: WordOf, nowMs: number): number | undefined {
  const level = fresh(metrics, "fill_level", word, nowMs);
  if (typeof level === "number") return level;
  const full = fresh(metrics, "full_alarm", word, nowMs);
  return full === true ? 100 : undefined;
}

export function lastHeardMs(metrics: Metrics | undefined): number | undefined {
  const times = Object.values(metrics ?? {}).map((state) => state.observed_at_ms);
  return times.length ? Math.max(...times) : undefined;
}

export function isPlace(device: Device, metrics: Metrics | undefined): boolean {
  return device.kind === "parking" && !(metrics && "barrier_state" in metrics) && !device.verbs.includes("open_barrier");
}
