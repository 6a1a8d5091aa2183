import { describe, expect, it } from "vitest";
import type { Command } from "../api/client";
import { hasEnded, merged, percentOf } from "./progress";

const command = (id: string, created_ms: number, states: string[]) =>
  ({ id, created_ms, expires_ms: created_ms + 1000, state: states.at(-1), transitions: states.map((state) => ({ state })) }) as unknown as Command;

describe("a command", () => {
  it("is not at its end because it was sent", () => {
    expect(["queued", "sent", "received", "executing", "succeeded"].every((state) => percentOf(state as Command["state"]) < 100)).toBe(true);
    expect(percentOf("confirmed")).toBe(100);
    expect(hasEnded(command("a", 0, ["queued", "succeeded"]), 2000)).toBe(false);
    expect(hasEnded(command("a", 0, ["queued", "succeeded"]), 2_000_000)).toBe(true);
    expect(hasEnded(command("a", 0, ["queued", "expired"]), 0)).toBe(true);
  });
  it("never goes back when an older answer comes late", () => {
    const live = [command("a", 1, ["queued", "sent", "received"]), command("c", 3, ["queued"])];
    const fetched = [command("b", 2, ["queued"]), command("a", 1, ["queued", "sent"])];
    expect(merged(fetched, live, 5).map((each) => [each.id, each.state])).toEqual([["c", "queued"], ["b", "queued"], ["a", "received"]]);
    expect(merged([command("a", 1, ["queued", "sent", "received", "executing"])], live, 5).find((each) => each.id === "a")?.state).toBe("executing");
  });
});
