import { Anchor } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { Empty } from "../Notice";
import { useTexts } from "../i18n/language";
import { mayEverywhere, type Permission, useMay, useMe } from "./session";

/** What only those see who may use it. */
export function May({ permission, community, children }: { permission: Permission; community?: string | undefined; children: ReactNode }) {
  return useMay(permission, community) ? <>{children}</> : null;
}

/** A page of those who may use it; to others who have its address it says so. everywhere: for all communities. */
export function Only({ permission, everywhere = false, children }: { permission: Permission; everywhere?: boolean; children: ReactNode }) {
  const texts = useTexts();
  const me = useMe();
  const somewhere = useMay(permission);
  if (everywhere ? mayEverywhere(me, permission) : somewhere) return <>{children}</>;
  return <Empty page text={texts.notForYou} next={<Anchor component={Link} to="/">{texts.home}</Anchor>} />;
}
