import { describe, expect, it } from "vitest";
import type { Approval } from "../api/client";
import { askedBy, decided, waitingFor } from "./present";

const approval = (id: string, asked_by: string, state: Approval["state"]) => ({ id, asked_by, state }) as Approval;
const items = [
  approval("a", "me", "waiting"),
  approval("b", "other", "waiting"),
  approval("c", "me", "approved"),
  approval("d", "other", "approved"),
  approval("e", "me", "refused"),
  approval("f", "other", "used"),
];
const ids = (found: Approval[]) => found.map((each) => each.id).join("");

describe("approvals", () => {
  it("never wait for who has asked, and each stands at one place", () => {
    expect(ids(waitingFor(items, "me"))).toBe("b");
    expect(ids(askedBy(items, "me"))).toBe("ac");
    expect(ids(decided(items, "me"))).toBe("def");
  });
});
