import { describe, expect, it } from "vitest";
import type { Session } from "../api/client";
import { isAt, linksFor } from "./links";

const names = (permissions: Session["permissions"]) => linksFor({ permissions } as Session).map((each) => each.name);

describe("the navigation", () => {
  it("has the pages of who may use them, and nothing else", () => {
    expect(names({})).toEqual([]);
    expect(names({ see: null, audit: null })).toEqual(["communities", "gateways", "audit"]);
    expect(names({ see: ["liuyuan"], audit: ["liuyuan"] })).toEqual(["communities", "gateways"]);
    expect(names({ see: ["liuyuan"], diagnose: ["liuyuan"], command: ["liuyuan"] })).toEqual(["communities", "gateways", "profiles", "approvals"]);
    expect(names({ see: null, diagnose: null, command: null, people: null, audit: null })).toHaveLength(6);
  });
  it("knows where one is", () => {
    expect(["/", "/gateways", "/people"].filter((link) => isAt(link, "/devices/dev-1"))).toEqual(["/"]);
    expect(["/", "/gateways", "/people"].filter((link) => isAt(link, "/claims"))).toEqual(["/gateways"]);
  });
});
