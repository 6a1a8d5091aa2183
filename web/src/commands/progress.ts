/** How a command's way is shown. Pure. */
import type { Command } from "../api/client";

const STEPS = ["queued", "sent", "received", "executing", "succeeded", "confirmed"] as const;
const ENDED = new Set(["confirmed", "failed", "rejected", "expired", "cancelled", "unknown"]);
/** The cloud looks for the effect until this long after the time to live (docs/commands.md). */
const EFFECT_MS_MAX = 15 * 60_000;

/** How far a command really is: 0 to 100. */
export function percentOf(state: Command["state"]): number {
  const place = (STEPS as readonly string[]).indexOf(state);
  return place < 0 ? 100 : Math.round((100 * (place + 1)) / STEPS.length);
}

/** Can anything more come of it? One that succeeded may still be confirmed, for a while. */
export function hasEnded(command: Pick<Command, "state" | "expires_ms">, nowMs: number): boolean {
  return ENDED.has(command.state) || nowMs > command.expires_ms + EFFECT_MS_MAX;
}

export function colorOf(state: Command["state"]): string {
  if (state === "confirmed" || state === "succeeded") return "teal";
  if (state === "unknown" || state === "expired" || state === "cancelled") return "orange.9";
  return state === "failed" || state === "rejected" ? "red" : "cyan";
}

/** What was fetched and what came live, of each command the one that has gone further; newest first. */
export function merged(fetched: readonly Command[], live: readonly Command[], count: number): Command[] {
  const known = new Map(fetched.map((command) => [command.id, command]));
  for (const command of live) {
    const before = known.get(command.id);
    if (!before || command.transitions.length >= before.transitions.length) known.set(command.id, command);
  }
  return [...known.values()].sort((a, b) => b.created_ms - a.created_ms).slice(0, count);
}
