/** The console's pages, for who may use them. Pure. */
import type { Session } from "../api/client";
import { may, mayEverywhere } from "../people/session";

export interface PageLink {
  to: string;
  name: "communities" | "gateways" | "profiles" | "people" | "approvals" | "audit";
}

export function linksFor(session: Session): PageLink[] {
  if (!may(session, "see")) return [];
  return [
    { to: "/", name: "communities" },
    { to: "/gateways", name: "gateways" },
    ...(may(session, "diagnose") ? [{ to: "/profiles", name: "profiles" } as const] : []),
    ...(may(session, "command") ? [{ to: "/approvals", name: "approvals" } as const] : []),
    ...(may(session, "people") ? [{ to: "/people", name: "people" } as const] : []),
    ...(mayEverywhere(session, "audit") ? [{ to: "/audit", name: "audit" } as const] : []),
  ];
}

/** Whether a page belongs to a link: a device's page to the communities, a claim's to the gateways. */
export function isAt(link: string, path: string): boolean {
  if (link === "/") return path === "/" || path.startsWith("/communities/") || path.startsWith("/devices/");
  if (link === "/gateways") return path.startsWith("/gateways") || path.startsWith("/claims");
  return path.startsWith(link);
}
