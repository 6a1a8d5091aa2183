import { Anchor, Badge, Burger, Drawer, Group, Indicator, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, useLocation } from "react-router";
import type { Session } from "../api/client";
import { useWaiting } from "../approvals/useApprovals";
import { useTexts } from "../i18n/language";
import { isAt, linksFor, type PageLink } from "./links";

/** The pages in a row: for wide screens. */
export function PageRow({ session }: { session: Session }) {
  const texts = useTexts();
  return (
    <Group component="nav" aria-label={texts.navigation} gap={4} wrap="nowrap" visibleFrom="md" flex={1}>
      {linksFor(session).map((link) => <To key={link.to} link={link} />)}
    </Group>
  );
}

/** The same behind a button: for phones. */
export function PageMenu({ session }: { session: Session }) {
  const texts = useTexts();
  const waiting = useWaiting();
  const [isOpen, { toggle, close }] = useDisclosure(false);
  const links = linksFor(session);
  if (links.length === 0) return null;
  return (
    <>
      <Indicator disabled={waiting === 0} color="red.8" size={10} offset={6} hiddenFrom="md">
        <Burger opened={isOpen} onClick={toggle} size="sm" aria-label={waiting ? `${texts.menu}: ${texts.approvals.waitForYou(waiting)}` : texts.menu} aria-expanded={isOpen} />
      </Indicator>
      <Drawer opened={isOpen} onClose={close} title={texts.appName} size={260} hiddenFrom="md" closeButtonProps={{ "aria-label": texts.close }}>
        <Stack component="nav" aria-label={texts.navigation} gap={4}>
          {links.map((link) => <To key={link.to} link={link} onClick={close} />)}
        </Stack>
      </Drawer>
    </>
  );
}

function To({ link, onClick }: { link: PageLink; onClick?: () => void }) {
  const texts = useTexts();
  const { pathname } = useLocation();
  const waiting = useWaiting();
  const count = link.name === "approvals" ? waiting : 0;
  const isHere = isAt(link.to, pathname);
  const names = { communities: texts.communities, gateways: texts.gateways.title, profiles: texts.profiles.title, people: texts.peoplePage.title, approvals: texts.approvals.title, audit: texts.audit.title };
  return (
    <Anchor component={Link} to={link.to} onClick={onClick} className="page-link" underline="never" {...(isHere && { "aria-current": "page" as const })}>
      {names[link.name]}
      {count > 0 && <Badge ml={6} size="sm" color="red.8" circle={count < 10} aria-label={texts.approvals.waitForYou(count)}>{count}</Badge>}
    </Anchor>
  );
}
