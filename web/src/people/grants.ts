/** Which roles somebody may give where, and how they are sorted. Pure. The server decides: cloud_api/people/roles.py. */
import type { Grant, Role } from "../api/client";

export const ROLES: readonly Role[] = ["administrator", "property_manager", "crew", "installer", "resident", "supervising_authority"];

/** From what does least: nobody is given much by an oversight. */
const LEAST_FIRST: readonly Role[] = ["resident", "supervising_authority", "crew", "installer", "property_manager", "administrator"];

/** The role that a new line begins with: the least one that is not there yet. */
export function leastOf(possible: readonly Role[], held: readonly Role[]): Role | undefined {
  const sorted = LEAST_FIRST.filter((role) => possible.includes(role));
  return sorted.find((role) => !held.includes(role)) ?? sorted[0];
}

const GIVES: Partial<Record<Role, readonly Role[]>> = {
  administrator: ROLES,
  property_manager: ["crew", "installer", "resident"],
};

/** Whether who holds these may give this one, or take it away. */
export function mayGive(held: readonly Grant[], wanted: Grant): boolean {
  return held.some((each) => (GIVES[each.role] ?? []).includes(wanted.role) && (each.community_id === null || each.community_id === wanted.community_id));
}

/** The roles that who holds these may give for this community; null: for all. */
export function rolesToGive(held: readonly Grant[], community_id: string | null): Role[] {
  return ROLES.filter((role) => mayGive(held, { role, community_id }));
}

/** The roles that a token of theirs can hold there: what they may give, and what they are. */
export function rolesOfToken(held: readonly Grant[], community_id: string | null): Role[] {
  const own = held.filter((each) => each.community_id === null || each.community_id === community_id).map((each) => each.role);
  return ROLES.filter((role) => own.includes(role) || mayGive(held, { role, community_id }));
}

export function sameGrants(one: readonly Grant[], other: readonly Grant[]): boolean {
  const keys = (grants: readonly Grant[]) => [...new Set(grants.map((each) => `${each.role} ${each.community_id ?? ""}`))].sort().join();
  return keys(one) === keys(other);
}
