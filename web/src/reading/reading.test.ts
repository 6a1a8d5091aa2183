import { describe, expect, it } from "vitest";
import type { MetricState, MetricWord } from "../api/client";
import { en } from "../i18n/en";
import vocabulary from "../../../docs/vocabulary.md?raw";
import { zh } from "../i18n/zh";
import { isStale, shownAge, shownValue } from "./format";
import { alone, joined, withGaps } from "./gaps";

const word = (unit: string, decimals = 1): MetricWord => ({
  name: "x", unit, type: "number", members: [], decimals, low: 0, high: 1, stale_after_ms: 60_000, label: { zh: "", en: "" },
}) as unknown as MetricWord;
const state = (observed: number): MetricState =>
  ({ value: 1, unit: null, observed_at_ms: observed, received_at_ms: observed, age_ms: 0, quality: "good", stale: false, reason: "" }) as MetricState;

describe("a value", () => {
  it("is never shown as 0 when it is missing", () => {
    expect(shownValue(undefined, word("Cel"), en)).toBe("Unknown");
    expect(shownValue(null, word("Cel"), en)).toBe("No valid value");
    expect(shownValue(0, word("Cel"), en)).toBe("0 °C");
  });
  it("carries a unit that people read", () => {
    expect(shownValue(21.54, word("Cel"), en)).toBe("21.5 °C");
    expect(shownValue(22_000, word("W"), en)).toBe("22 kW");
    expect(shownValue("Charging", undefined, zh)).toBe("充电中");
  });
});

describe("an age", () => {
  it("grows from seconds to days", () => {
    expect([1_000, 40_000, 600_000, 7_200_000, 200_000_000].map((age) => shownAge(age, en))).toEqual([
      "now", "40 s ago", "10 min ago", "2 h ago", "2 d ago",
    ]);
  });
  it("from the future is a wrong clock, and nothing to rely on", () => {
    expect(shownAge(-1000, en)).toBe("now");
    expect(shownAge(-60_001, en)).toBe(en.ageAhead);
    expect(isStale(state(60_001), word("Cel"), 0)).toBe(true);
  });
  it("makes a value stale past its limit, not before", () => {
    expect(isStale(state(0), word("Cel"), 60_000)).toBe(false);
    expect(isStale(state(0), word("Cel"), 60_001)).toBe(true);
  });
});

const numberOf = (value: unknown) => (typeof value === "number" ? value : null);

describe("a plot", () => {
  const points = [{ t_ms: 0, value: 1 }, { t_ms: 10, value: null }, { t_ms: 20, value: 2 }, { t_ms: 500, value: 3 }];
  it("breaks where nothing was measured", () => {
    const plotted = withGaps(points, numberOf, { gapMs: 100, holdUntilMs: null });
    expect(plotted).toEqual([[0, 1], [10, null], [20, 2], [21, null], [500, 3]]);
    expect(alone(plotted)).toEqual([[0, 1], [20, 2], [500, 3]]);
  });
  it("holds a state until it is stale, or until now", () => {
    const plotted = withGaps(points, numberOf, { gapMs: 100, holdUntilMs: 550 });
    expect(plotted).toEqual([[0, 1], [10, null], [20, 2], [120, 2], [121, null], [500, 3], [550, 3]]);
    expect(alone(plotted)).toEqual([[0, 1]]);
  });
  it("appends what came live after what was fetched", () => {
    expect(joined([{ t_ms: 1 }, { t_ms: 5 }], [{ t_ms: 5 }, { t_ms: 7 }])).toEqual([{ t_ms: 1 }, { t_ms: 5 }, { t_ms: 7 }]);
  });
});

describe("the words", () => {
  const members = vocabulary
    .split("\n")
    .map((line) => line.split("|")[4]?.trim() ?? "")
    .filter((values) => values !== "true, false" && /^[A-Za-z]+(, [A-Za-z]+)+$/.test(values))
    .flatMap((values) => values.split(", "));
  it.each([["en", en], ["zh", zh]])("of every enum are there in %s", (_, texts) => {
    expect(members.length).toBeGreaterThan(40);
    expect(members.filter((member) => !(member in texts.members))).toEqual([]);
  });
});
