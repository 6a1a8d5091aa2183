/** Which approvals wait for whom. Pure. */
import type { Approval } from "../api/client";

/** What somebody else has asked for, and nobody has decided about. */
export function waitingFor(items: readonly Approval[], me: string): Approval[] {
  return items.filter((each) => each.state === "waiting" && each.asked_by !== me);
}

/** What this person has asked for and may still come of it. */
export function askedBy(items: readonly Approval[], me: string): Approval[] {
  return items.filter((each) => each.asked_by === me && (each.state === "waiting" || each.state === "approved"));
}

/** What is over: done, refused or too late; and what others were allowed. */
export function decided(items: readonly Approval[], me: string): Approval[] {
  return items.filter((each) => each.state !== "waiting" && !(each.asked_by === me && each.state === "approved"));
}

/** The order that an approval of a command is for. */
export function orderOf(approval: Pick<Approval, "request">): { verb: string; args: Record<string, number> } {
  const { verb, args } = approval.request as { verb?: string; args?: Record<string, number> };
  return { verb: verb ?? "", args: args ?? {} };
}

/** To whom a profile's approval lets it be pushed. */
export function receiversOf(approval: Pick<Approval, "request">): { community: string; gateways: string[] } {
  const { community, gateways } = approval.request as { community?: string; gateways?: string[] };
  return { community: community ?? "", gateways: gateways ?? [] };
}
