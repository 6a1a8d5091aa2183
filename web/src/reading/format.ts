/** How value, unit and age look. Nothing else in the console decides it. */
import type { MetricState, MetricWord, Value } from "../api/client";
import type { Texts } from "../i18n/en";
import type { Language } from "../i18n/language";

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
export function shownValue(value: Value | undefined, word: Pick<MetricWord, "unit" | "decimals"> | undefined, texts: Texts): string {
  if (value === undefined) return texts.valueUnknown;
  if (value === null) return texts.noValue;
  if (typeof value === "boolean") return value ? texts.yes : texts.no;
  if (typeof value === "string") return texts.members[value] ?? value;
  const [scaled, unit] = scale(value, word?.unit ?? null);
  const decimals = unit.startsWith("k") && word?.unit !== "kg" ? 2 : (word?.decimals ?? 2);
  const text = shownNumber(scaled, decimals);
  return unit ? `${text} ${shownUnit(unit)}` : text;
}

/** Thousands apart by a thin space, the same in both languages. */
export function shownNumber(value: number, decimals: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: decimals }).replaceAll(",", "\u202f");
}

function scale(value: number, unit: string | null): [number, string] {
  if ((unit === "W" || unit === "W.h") && Math.abs(value) >= 10_000) return [value / 1000, unit === "W" ? "kW" : "kWh"];
  return [value, unit ?? ""];
}

/** How long ago it was observed, ms. Negative: the device's clock is ahead of the server's. */
export function ageOf(state: Pick<MetricState, "observed_at_ms">, nowMs: number): number {
  return nowMs - state.observed_at_ms;
}

/** Clocks differ a little; what lies further ahead is a wrong clock. As in cloud_api/availability. */
export const AHEAD_MS_MAX = 60_000;

export function shownDuration(ms: number, texts: Texts): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 90) return texts.seconds(seconds);
  if (seconds < 90 * 60) return texts.minutes(Math.round(seconds / 60));
  if (seconds < 36 * 3600) return texts.hours(Math.round(seconds / 3600));
  return texts.days(Math.round(seconds / 86400));
}

export function shownAge(ageMs: number, texts: Texts): string {
  if (ageMs < -AHEAD_MS_MAX) return texts.ageAhead;
  return ageMs < 5000 ? texts.ageNow : texts.age(shownDuration(ageMs, texts));
}

/** A point in time in the chosen language, in the reader's time zone. */
export function shownTime(ms: number, language: Language, style: "full" | "clock" | "day" = "full"): string {
  const locale = language === "zh" ? "zh-CN" : "en-GB";
  if (style === "clock") return new Date(ms).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
  if (style === "day") return new Date(ms).toLocaleDateString(locale, { month: "short", day: "numeric" });
  return new Date(ms).toLocaleString(locale, { dateStyle: "medium", timeStyle: "medium" });
}

/** Is this value too old, or from too far ahead, to say anything about the present? */
export function isStale(state: MetricState, word: MetricWord | undefined, nowMs: number): boolean {
  const age = ageOf(state, nowMs);
  return age < -AHEAD_MS_MAX || (word ? age > word.stale_after_ms : state.stale);
}
