/**
 * What a device is at present, out of its latest values. Past the staleness limit it is unknown. Pure. Places and
 * chargers follow the rule of cloud_api/availability/decision.py, so that a resident and a manager read the same.
 */
import type { Bin, Device, MetricState, MetricWord } from "../api/client";
import type { Metrics } from "../live/stream";
import { AHEAD_MS_MAX, isStale } from "../reading/format";

export type PlaceStatus = "free" | "occupied" | "blocked" | "reserved" | "out_of_service" | "unknown";
export type WordOf = (metric: string) => MetricWord | undefined;

const SPOT: Record<string, PlaceStatus> = { free: "free", occupied: "occupied", closed: "out_of_service" };
const CONNECTOR: Record<string, PlaceStatus> = {
  Available: "free",
  Preparing: "occupied",
  Charging: "occupied",
  SuspendedEV: "occupied",
  SuspendedEVSE: "occupied",
  Finishing: "occupied",
  Reserved: "reserved",
  Unavailable: "out_of_service",
  Faulted: "out_of_service",
};

/** The metric's value if it is there, good and fresh; else undefined. */
export function fresh(metrics: Metrics | undefined, name: string, word: WordOf, nowMs: number) {
  const state = metrics?.[name];
  if (!state || state.value === null || state.quality === "bad" || isStale(state, word(name), nowMs)) return undefined;
  return state.value;
}

/** When anything was last heard of the device, as far as its clock can be believed. */
export function lastHeardMs(metrics: Metrics | undefined, nowMs: number): number | undefined {
  const times = Object.values(metrics ?? {}).map((state) => state.observed_at_ms).filter((ms) => ms <= nowMs + AHEAD_MS_MAX);
  return times.length ? Math.max(...times) : undefined;
}

/** Any sample proves that the device is alive, so one that speaks only on change is believed from the last of them on. */
function decide(metrics: Metrics | undefined, name: string, of: Record<string, PlaceStatus>, word: WordOf, nowMs: number): PlaceStatus {
  const said: MetricState | undefined = metrics?.[name];
  if (!said || said.value === null || said.quality === "bad" || said.observed_at_ms > nowMs + AHEAD_MS_MAX) return "unknown";
  const heard = lastHeardMs(metrics, nowMs) ?? 0;
  if (isStale({ ...said, observed_at_ms: heard }, word(name), nowMs)) return "unknown";
  const status = of[String(said.value)] ?? "unknown";
  const fault = metrics?.fault;
  const faulty = fault?.value === true && fault.observed_at_ms >= said.observed_at_ms;
  return status === "free" && faulty ? "out_of_service" : status;
}

/** late: it should have spoken by now, so nobody knows. */
export function placeStatus(metrics: Metrics | undefined, word: WordOf, nowMs: number, late = false): PlaceStatus {
  return late ? "unknown" : decide(metrics, "spot_status", SPOT, word, nowMs);
}

/** place: how the place before the charger is; a free charger that no car can reach is not free. */
export function chargerStatus(metrics: Metrics | undefined, word: WordOf, nowMs: number, late = false, place?: PlaceStatus): PlaceStatus {
  const status = late ? "unknown" : decide(metrics, "connector_status", CONNECTOR, word, nowMs);
  if (status !== "free" || place === undefined || place === "free" || place === "unknown") return status;
  return place === "occupied" ? "blocked" : place;
}

/** Metric -> the values that are an alarm. */
const ALARMS: Record<string, readonly MetricState["value"][]> = {
  water_leak: [true],
  smoke_alarm: [true],
  fire_alarm: [true],
  temperature_alarm: [true],
  tilt_alarm: [true],
  tamper: [true],
  fault: [true],
  connector_status: ["Faulted"],
  barrier_state: ["blocked"],
  compactor_state: ["jammed"],
  container_status: ["dropped", "vandalized", "burning"],
  door_state: ["held", "forced"],
};

/** The alarms that this device raises now. */
export function alarmsOf(metrics: Metrics | undefined, word: WordOf, nowMs: number): string[] {
  return Object.keys(ALARMS).filter((name) => ALARMS[name]?.includes(fresh(metrics, name, word, nowMs) ?? null));
}

/** A smoke or leak sensor that is not heard of raises no alarm, and that is not the same as none. */
export function isAlarmUnknown(metrics: Metrics | undefined, word: WordOf, nowMs: number): boolean {
  return ["water_leak", "smoke_alarm", "fire_alarm"].some(
    (name) => metrics?.[name] !== undefined && fresh(metrics, name, word, nowMs) === undefined,
  );
}

export const BIN_FULL = 80;

/** How full a bin is, %, as it says itself; else undefined (a bare distance needs the height of the bin). */
export function fillLevel(metrics: Metrics | undefined, word: WordOf, nowMs: number): number | undefined {
  const level = fresh(metrics, "fill_level", word, nowMs);
  return typeof level === "number" ? level : undefined;
}

/** Must it be emptied? By its own alarm, its own level, or the level that the cloud knows by its height. undefined: nobody knows. */
export function isFull(metrics: Metrics | undefined, word: WordOf, nowMs: number, bin?: Bin): boolean | undefined {
  const alarm = fresh(metrics, "full_alarm", word, nowMs);
  const level = fillLevel(metrics, word, nowMs) ?? bin?.fill_percent ?? undefined;
  if (alarm === true || (level !== undefined && level >= BIN_FULL)) return true;
  return alarm === false || level !== undefined ? false : undefined;
}

export function isPlace(device: Device, metrics: Metrics | undefined): boolean {
  return device.kind === "parking" && !(metrics && "barrier_state" in metrics) && !device.verbs.includes("open_barrier");
}
