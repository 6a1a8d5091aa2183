import { describe, expect, it } from "vitest";
import type { Gateway, Ledger } from "../api/client";
import { en } from "../i18n/en";
import { concernsOf, dropsOf, fillOf, shownBytes, shownHours } from "./present";

const NOW = 1_790_000_000_000;
const WORD = {
  outbox_bytes: 500, outbox_bytes_max: 1000, outbox_hours_until_full: null, buffered_samples: 0, clock_trusted: true, clock_error_ms: 3,
};
const GATEWAY = {
  id: "gw-1", community_id: "c", name: { zh: "网关", en: "Gateway" }, online: true, last_seen_ms: NOW, agent_version: "0.1.0", desired_version: 1,
  reported_version: 1, reported_reason: "", twin_seen_ms: null, last_word: WORD, link: "both",
} as Gateway;

describe("concernsOf", () => {
  it("finds none when all is well, nor when nothing was heard", () => {
    expect(concernsOf(GATEWAY, { balanced: true } as Ledger, NOW)).toEqual([]);
    expect(concernsOf({ ...GATEWAY, last_word: null }, undefined, NOW)).toEqual([]);
  });
  it("names each", () => {
    const wrong = {
      ...GATEWAY, twin_seen_ms: NOW - 1000, reported_reason: "profile_unknown", link: "up_only" as const, last_word: { ...WORD, clock_trusted: false, outbox_hours_until_full: 2 },
    };
    expect(concernsOf(wrong, { balanced: false } as Ledger, NOW)).toEqual(["deaf", "twin", "clock", "full", "unexplained", "configuration"]);
  });
  it("forgets a twin that is gone, and does not mind an outbox that is full in a month", () => {
    expect(concernsOf({ ...GATEWAY, twin_seen_ms: NOW - 3_600_000 }, undefined, NOW)).toEqual([]);
    expect(concernsOf({ ...GATEWAY, last_word: { ...WORD, outbox_hours_until_full: 700 } }, undefined, NOW)).toEqual([]);
  });
  it("takes full now for a concern, though 0 is falsy", () => {
    expect(concernsOf({ ...GATEWAY, last_word: { ...WORD, outbox_hours_until_full: 0 } }, undefined, NOW)).toEqual(["full"]);
  });
});

describe("words and numbers", () => {
  it("shows bytes as people read them", () => {
    expect([0, 999, 1_048_576, 1_073_741_824, 250e9].map(shownBytes)).toEqual(["0 B", "999 B", "1 MB", "1.1 GB", "250 GB"]);
    expect(fillOf(WORD)).toBe(50);
    expect(fillOf({ outbox_bytes: 5, outbox_bytes_max: 0 })).toBe(0);
    expect(shownHours(72, en)).toBe("3 d");
  });
  it("names drops by their frames, and says how much only where it is known", () => {
    const epoch = { epoch: "e", lane: "bulk" as const, drops: [
      { first_seq: 4, last_seq: 4, samples: 0, reason: "not_kept" }, { first_seq: 7, last_seq: 9, samples: 1200, reason: "size_cap" },
    ] };
    const shown = dropsOf([epoch as never], en);
    expect(shown.map((drop) => drop.words)).toEqual(["frame 4", "frames 7–9: 1\u202f200 samples"]);
    expect(shown[0]?.reason).toBe(en.gateways.dropReasons.not_kept);
  });
});
