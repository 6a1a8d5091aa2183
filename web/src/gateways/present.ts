/** What a gateway's figures mean to people. Pure. */
import type { Gateway, Ledger, LedgerEpoch } from "../api/client";
import { shownDuration, shownNumber } from "../reading/format";
import type { Texts } from "../i18n/en";

/** A twin that was seen within this time is there now. As in cloud_api/ingest/presence.py. */
export const TWIN_MS = 900_000;
/** Fewer hours than this are a reason to act. As in docs/ops/alerts.yml. */
export const HOURS_SHORT = 24;
export const DROPS_SHOWN = 5;

export type Concern = "deaf" | "twin" | "clock" | "full" | "unexplained" | "configuration";

/** What is wrong with it, apart from being offline. */
export function concernsOf(gateway: Gateway, ledger: Ledger | undefined, nowMs: number): Concern[] {
  const word = gateway.last_word;
  const found: Concern[] = [];
  if (gateway.link === "up_only") found.push("deaf");
  if (gateway.twin_seen_ms != null && nowMs - gateway.twin_seen_ms < TWIN_MS) found.push("twin");
  if (word && !word.clock_trusted) found.push("clock");
  if (word?.outbox_hours_until_full != null && word.outbox_hours_until_full < HOURS_SHORT) found.push("full");
  if (ledger && !ledger.balanced) found.push("unexplained");
  if (gateway.reported_reason) found.push("configuration");
  return found;
}

/** How full the outbox is, %. */
export function fillOf(word: { outbox_bytes: number; outbox_bytes_max: number }): number {
  return word.outbox_bytes_max > 0 ? Math.min(100, (100 * word.outbox_bytes) / word.outbox_bytes_max) : 0;
}

const SIZES = ["B", "kB", "MB", "GB", "TB"];

export function shownBytes(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < SIZES.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${shownNumber(size, unit > 1 && size < 100 ? 1 : 0)} ${SIZES[unit]}`;
}

export function shownHours(hours: number, texts: Texts): string {
  return shownDuration(hours * 3_600_000, texts);
}

export function count(samples: number): string {
  return shownNumber(samples, 0);
}

export interface ShownDrop {
  key: string;
  words: string;
  reason: string;
}

/** Every declared drop, newest epoch first. A drop whose size is not known is named by its frames alone. */
export function dropsOf(epochs: LedgerEpoch[], texts: Texts): ShownDrop[] {
  const words = texts.gateways;
  return epochs.flatMap((epoch) =>
    epoch.drops.map((drop) => {
      const frames = words.frames(drop.first_seq, drop.last_seq);
      return {
        key: `${epoch.epoch}/${epoch.lane}/${drop.first_seq}-${drop.last_seq}`,
        words: drop.samples > 0 ? words.dropWords(frames, count(drop.samples)) : words.dropUnknown(frames),
        reason: words.dropReasons[drop.reason] ?? drop.reason,
      };
    }),
  );
}
