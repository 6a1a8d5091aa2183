import { describe, expect, it } from "vitest";
import type { MetricState } from "../api/client";
import { alarmsOf, chargerStatus, isAlarmUnknown, isFull, placeStatus, type WordOf } from "./present";

const LIMIT = 1000;
const word = (() => ({ stale_after_ms: LIMIT })) as unknown as WordOf;
const said = (value: MetricState["value"], at = 0, quality = "good") =>
  ({ value, unit: null, observed_at_ms: at, received_at_ms: at, age_ms: 0, quality, stale: false, reason: "" }) as MetricState;

describe("a place", () => {
  it("is free only on a fresh word", () => {
    const metrics = { spot_status: said("free") };
    expect(placeStatus(metrics, word, LIMIT)).toBe("free");
    expect(placeStatus(metrics, word, LIMIT + 1)).toBe("unknown");
    expect(placeStatus(undefined, word, 0)).toBe("unknown");
    expect(placeStatus({ spot_status: said("free", 0, "bad") }, word, 0)).toBe("unknown");
    expect(placeStatus({ spot_status: said(null) }, word, 0)).toBe("unknown");
    expect(placeStatus({ spot_status: said("closed") }, word, 0)).toBe("out_of_service");
  });
  it("stays believed while its heartbeats come", () => {
    expect(placeStatus({ spot_status: said("free"), battery_voltage: said(3, 900) }, word, 1900)).toBe("free");
    expect(placeStatus({ spot_status: said("free"), battery_voltage: said(3, 900) }, word, 1901)).toBe("unknown");
  });
  it("is unknown when its clock runs ahead", () => {
    expect(placeStatus({ spot_status: said("free", 60_001) }, word, 0)).toBe("unknown");
  });
});

describe("a charger", () => {
  it("is out of service with a fault, whatever it says", () => {
    expect(chargerStatus({ connector_status: said("Available") }, word, 0)).toBe("free");
    expect(chargerStatus({ connector_status: said("Available"), fault: said(true) }, word, 0)).toBe("out_of_service");
    expect(chargerStatus({ connector_status: said("Faulted") }, word, 0)).toBe("out_of_service");
  });
});

describe("an alarm", () => {
  it("is not 'none' when its sensor is not heard of", () => {
    expect(alarmsOf({ smoke_alarm: said(true) }, word, 0)).toEqual(["smoke_alarm"]);
    expect(alarmsOf({ smoke_alarm: said(true) }, word, LIMIT + 1)).toEqual([]);
    expect(isAlarmUnknown({ smoke_alarm: said(true) }, word, LIMIT + 1)).toBe(true);
    expect(isAlarmUnknown({ smoke_alarm: said(false) }, word, 0)).toBe(false);
  });
});

describe("a bin", () => {
  it("is to be emptied, not, or nobody knows", () => {
    expect(isFull({ fill_level: said(80) }, word, 0)).toBe(true);
    expect(isFull({ fill_level: said(79) }, word, 0)).toBe(false);
    expect(isFull({ full_alarm: said(true), fill_level: said(10) }, word, 0)).toBe(true);
    expect(isFull({ full_alarm: said(false) }, word, 0)).toBe(false);
    expect(isFull({ fill_distance: said(300) }, word, 0)).toBeUndefined();
  });
});
