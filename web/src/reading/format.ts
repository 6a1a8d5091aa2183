/** How value, unit and age look. Nothing else in the console decides it. */
import type { MetricState, MetricWord, Value } from "../api/client";
import type { Texts } from "../i18n/en";

/** UCUM to what people read. */
const UNITS: Record<string, string> = {
  Cel: "°C",
  "W.h": "Wh",
  m3: "m³",
  "m3/h": "m³/h",
  "ug/m3": "µg/m³",
  "[ppm]": "ppm",
  "[ppb]": "ppb",
  "dB[mW]": "dBm",
  "dB[SPL]": "dB",
  deg: "°",
};

export function shownUnit(unit: string | null | undefined): string {
  return unit ? (UNITS[unit] ?? unit) : "";
}

/** A value with its unit, in the reader's words. A missing one is said to be missing, never shown as 0. */
export function shownValue(value: Value | undefined, word: MetricWord | undefined, texts: Texts): string {
  if (value === undefined) return texts.valueUnknown;
  if (value === null) return texts.noValue;
  if (typeof value === "boolean") return value ? texts.yes : texts.no;
  if (typeof value === "string") return texts.members[value] ?? value;
  const [scaled, unit] = scale(value, word?.unit ?? null);
  const decimals = unit.startsWith("k") && word?.unit !== "kg" ? 2 : (word?.decimals ?? 2);
  const text = scaled.toLocaleString("en", { maximumFractionDigits: decimals }).replaceAll(",", "\u202f");
  return unit ? `${text} ${shownUnit(unit)}` : text;
}

function scale(value: number, unit: string | null): [number, string] {
  if ((unit === "W" || unit === "W.h") && Math.abs(value) >= 10_000) return [value / 1000, unit === "W" ? "kW" : "kWh"];
  return [value, unit ?? ""];
}

export function ageOf(state: Pick<MetricState, "observed_at_ms">, nowMs: number): number {
  return Math.max(0, nowMs - state.observed_at_ms);
}

export function shownAge(ageMs: number, texts: Texts): string {
  const seconds = Math.floor(ageMs / 1000);
  if (seconds < 5) return texts.ageNow;
  if (seconds < 90) return texts.age(texts.seconds(seconds));
  if (seconds < 90 * 60) return texts.age(texts.minutes(Math.round(seconds / 60)));
  if (seconds < 36 * 3600) return texts.age(texts.hours(Math.round(seconds / 3600)));
  return texts.age(texts.days(Math.round(seconds / 86400)));
}

/** Is this value too old to say anything about the present? */
export function isStale(state: MetricState, word: MetricWord | undefined, nowMs: number): boolean {
  return word ? ageOf(state, nowMs) > word.stale_after_ms : state.stale;
}
