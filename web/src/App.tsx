import { ActionIcon, Anchor, AppShell, Button, Container, Group, Stack, Text, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { lazy, Suspense, useEffect } from "react";
import { Link, Route, Routes, useLocation, useNavigationType } from "react-router";
import type { Session } from "./api/client";
import { AccountPage } from "./account/AccountPage";
import { ApprovalsPage } from "./approvals/ApprovalsPage";
import { AuditPage } from "./audit/AuditPage";
import { Availability, AvailabilityPage } from "./availability/AvailabilityPage";
import { ClaimsPage } from "./claims/ClaimsPage";
import { CommunitiesPage } from "./communities/CommunitiesPage";
import { CommunityPage } from "./communities/CommunityPage";
import { GatewayPage } from "./gateways/GatewayPage";
import { GatewaysPage } from "./gateways/GatewaysPage";
import { useLanguage } from "./i18n/language";
import { PageMenu, PageRow } from "./navigation/Navigation";
import { Empty, Failed, Loading } from "./Notice";
import { InvitationPage } from "./people/InvitationPage";
import { Only } from "./people/May";
import { PeoplePage } from "./people/PeoplePage";
import { may, useSession } from "./people/session";
import { ProviderPage } from "./people/ProviderPage";
import { SignInPage } from "./people/SignInPage";
import { WhoIsSignedIn } from "./people/WhoIsSignedIn";
import { ProfilesPage } from "./profiles/ProfilesPage";

// The plots are most of the code; the overview does not wait for them.
const DevicePage = lazy(() => import("./devices/DevicePage").then((module) => ({ default: module.DevicePage })));

/** A new page begins at its top, for eyes and for screen readers; going back leaves the place to the browser. */
function useTopOfPage(): void {
  const { pathname } = useLocation();
  const way = useNavigationType();
  useEffect(() => {
    if (way === "POP") return;
    window.scrollTo(0, 0);
    document.getElementById("content")?.focus({ preventScroll: true });
  }, [pathname, way]);
}

export function App() {
  useTopOfPage();
  const { session, error, again } = useSession();
  const { texts, toggle, language } = useLanguage();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  return (
    <AppShell header={{ height: 56 }} padding={{ base: "xs", sm: "md" }}>
      <a className="skip" href="#content">{texts.skipToContent}</a>
      <AppShell.Header component="header">
        <Container size="xl" h="100%" px={{ base: "xs", xl: 0 }}>
          <Group h="100%" gap="sm" justify="space-between" wrap="nowrap">
            <Group gap={4} wrap="nowrap">
              {session && <PageMenu session={session} />}
              <Anchor component={Link} to="/" underline="never" c="inherit">
                <Group gap="xs" wrap="nowrap">
                  <img src="/icon.svg" width={28} height={28} alt="" />
                  <Text fw={700} size="lg">{texts.appName}</Text>
                </Group>
              </Anchor>
            </Group>
            {session && <PageRow session={session} />}
            <Group gap="xs" wrap="nowrap">
              {session && <WhoIsSignedIn session={session} />}
              <Button variant="default" size="compact-md" onClick={toggle} aria-label={texts.languageLabel} lang={language === "zh" ? "en" : "zh-CN"}>
                {texts.language}
              </Button>
              <ActionIcon variant="default" size="md" aria-label={texts.colorScheme} onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}>
                {scheme === "dark" ? "☀" : "☾"}
              </ActionIcon>
            </Group>
          </Group>
        </Container>
      </AppShell.Header>
      <AppShell.Main id="content" tabIndex={-1}>
        <Container size="xl" px={0}>
          <Suspense fallback={<Loading />}>
            <Routes>
              <Route path="/availability/:id" element={<AvailabilityPage />} />
              <Route path="/invitation" element={<InvitationPage />} />
              <Route path="/sign-in/provider" element={session === undefined ? <Loading /> : <ProviderPage session={session} />} />
              <Route path="*" element={<SignedIn session={session} error={error} again={again} />} />
            </Routes>
          </Suspense>
        </Container>
      </AppShell.Main>
    </AppShell>
  );
}

/** Everything but what is public: for whoever is signed in, else the place to do so. */
function SignedIn({ session, error, again }: { session: Session | null | undefined; error: Error | null; again: () => void }) {
  const { texts } = useLanguage();
  if (error) return <Failed error={error} retry={again} />;
  if (session === undefined) return <Loading />;
  if (session === null) return <SignInPage />;
  if (!may(session, "see")) {
    return (
      <Routes>
        <Route path="/account" element={<AccountPage session={session} />} />
        <Route path="*" element={<AtHome session={session} />} />
      </Routes>
    );
  }
  return (
    <Routes>
      <Route path="/" element={<CommunitiesPage />} />
      <Route path="/account" element={<AccountPage session={session} />} />
      <Route path="/communities/:id" element={<CommunityPage />} />
      <Route path="/devices/:id" element={<DevicePage />} />
      <Route path="/gateways" element={<GatewaysPage />} />
      <Route path="/gateways/:id" element={<GatewayPage />} />
      <Route path="/claims" element={<Only permission="install"><ClaimsPage /></Only>} />
      <Route path="/profiles" element={<Only permission="diagnose"><ProfilesPage /></Only>} />
      <Route path="/approvals" element={<Only permission="command"><ApprovalsPage /></Only>} />
      <Route path="/people" element={<Only permission="people"><PeoplePage /></Only>} />
      <Route path="/audit" element={<Only permission="audit" everywhere><AuditPage /></Only>} />
      <Route path="*" element={<Empty page text={texts.notFound} next={<Anchor component={Link} to="/">{texts.home}</Anchor>} />} />
    </Routes>
  );
}

/** A resident, who sees what is free at home, or somebody who has to set up an authenticator first. */
function AtHome({ session }: { session: Session }) {
  const { texts } = useLanguage();
  const { pathname } = useLocation();
  if (session.authenticator_missing) return <AccountPage session={session} />;
  const communities = session.communities ?? [];
  if (pathname !== "/") return <Empty page text={texts.notForYou} next={<Anchor component={Link} to="/">{texts.homeResident}</Anchor>} />;
  if (communities.length === 0) return <Empty page text={texts.people.nothingToSee} />;
  return <Stack gap="xl">{communities.map((id) => <Availability key={id} id={id} />)}</Stack>;
}
