import { expect, test } from "vitest";
import { bodyOf, carriesFailSafe, draftOf, nextKey } from "./form";

const site = {
  gateway_id: "gw-1",
  set_up: true,
  fuse_a: 40,
  fail_safe_a: 6,
  free_for_all: false,
  firmware_url: "",
  diagnostics_url: "",
  charge_points: [{ charge_point: "CP-1", password_set: true, current_max_a: 16, phases: 3, phase: 0 }],
  tokens: [{ name: "Flat 12", id_tag_masked: "••••E6F7", expires_ms: 0, blocked: false }],
};

test("what nobody typed is not sent, so secrets stay as they are", () => {
  const body = bodyOf(draftOf(site));
  expect(body.charge_points).toEqual([{ charge_point: "CP-1", current_max_a: 16, phases: 3, phase: 0 }]);
  expect(body.tokens).toEqual([{ name: "Flat 12", blocked: false, expires_ms: 0 }]);
});

test("that a charge point is to have no password is said, never left to omission", () => {
  const draft = draftOf(site);
  draft.points.push({ key: 1, chargePoint: "CP-2", password: "", passwordSet: false, noPassword: true, amps: 16, phases: 1, phase: 2 });
  expect(bodyOf(draft).charge_points?.map((point) => point.password)).toEqual([undefined, ""]);
});

test("what was typed is sent", () => {
  const draft = draftOf(site);
  draft.points[0]!.password = "sixteen-letters!";
  draft.tokens[0]!.idTag = " 04A2 ";
  const body = bodyOf(draft);
  expect(body.charge_points?.[0]?.password).toBe("sixteen-letters!");
  expect(body.tokens?.[0]?.id_tag).toBe("04A2");
});

test("the fail-safe holds only while the fuse carries it for all", () => {
  const draft = draftOf(site);
  expect(carriesFailSafe(draft)).toBe(true);
  draft.points = Array.from({ length: 7 }, (_, key) => ({ ...draft.points[0]!, key }));
  expect(carriesFailSafe(draft)).toBe(false);
});

test("a new row has a key of its own", () => {
  expect(nextKey([])).toBe(0);
  expect(nextKey([{ key: 4 }, { key: 2 }])).toBe(5);
});
