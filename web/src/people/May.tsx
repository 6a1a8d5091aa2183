import type { ReactNode } from "react";
import { type Permission, useMay } from "./session";

/** What only those see who may use it. */
export function May({ permission, community, children }: { permission: Permission; community?: string | undefined; children: ReactNode }) {
  return useMay(permission, community) ? <>{children}</> : null;
}
