import { describe, expect, it } from "vitest";
import type { Grant } from "../api/client";
import { leastOf, mayGive, rolesOfToken, rolesToGive, ROLES, sameGrants } from "./grants";

const administrator: Grant[] = [{ role: "administrator", community_id: null }];
const manager: Grant[] = [{ role: "property_manager", community_id: "liuyuan" }];

describe("giving roles", () => {
  it("is for whoever looks after people there", () => {
    expect(rolesToGive(administrator, null)).toEqual(ROLES);
    expect(rolesToGive(manager, "liuyuan")).toEqual(["crew", "installer", "resident"]);
    expect(rolesToGive(manager, "jiangwan")).toEqual([]);
    expect(rolesToGive(manager, null)).toEqual([]);
    expect(mayGive([{ role: "crew", community_id: null }], { role: "resident", community_id: "liuyuan" })).toBe(false);
  });
  it("a token can be what its maker is, too", () => {
    expect(rolesOfToken(manager, "liuyuan")).toEqual(["property_manager", "crew", "installer", "resident"]);
    expect(rolesOfToken(manager, null)).toEqual([]);
  });
  it("begins with the least", () => {
    expect(leastOf(ROLES, [])).toBe("resident");
    expect(leastOf(["property_manager", "crew"], ["crew"])).toBe("property_manager");
    expect(leastOf([], [])).toBeUndefined();
  });
  it("the order of roles says nothing", () => {
    expect(sameGrants([...manager, ...administrator], [...administrator, ...manager])).toBe(true);
    expect(sameGrants(manager, administrator)).toBe(false);
  });
});
