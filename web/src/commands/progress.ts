import type { Command } from "../api/client";

const STEPS = ["queued", "sent", "received", "executing", "succeeded", "confirmed"] as const;
const ENDED = new Set(["confirmed", "failed", "rejected", "expired", "cancelled", "unknown"]);

/** How far a command really is: 0 to 100. */
export function percentOf(state: Command["state"]): number {
  const place = (STEPS as readonly string[]).indexOf(state);
  return place < 0 ? 100 : Math.round((100 * (place + 1)) / STEPS.length);
}

export function hasEnded(state: Command["state"]): boolean {
  return ENDED.has(state);
}

export function colorOf(state: Command["state"]): string {
  if (state === "confirmed") return "teal";
  if (state === "unknown" || state === "expired") return "orange";
  return hasEnded(state) ? "red" : "cyan";
}

/** Of what was fetched and what came live, the one that has gone further. */
export function further(fetched: Command | undefined, live: Command | undefined): Command | undefined {
  if (!fetched || !live) return live ?? fetched;
  return live.transitions.length >= fetched.transitions.length ? live : fetched;
}
