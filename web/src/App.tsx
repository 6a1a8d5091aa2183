import { ActionIcon, Anchor, AppShell, Button, Container, Group, Text, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { lazy, Suspense, useEffect } from "react";
import { Link, Route, Routes, useLocation, useNavigationType } from "react-router";
import { ClaimsPage } from "./claims/ClaimsPage";
import { CommunitiesPage } from "./communities/CommunitiesPage";
import { CommunityPage } from "./communities/CommunityPage";
import { GatewayPage } from "./gateways/GatewayPage";
import { GatewaysPage } from "./gateways/GatewaysPage";
import { useLanguage } from "./i18n/language";
import { Empty, Loading } from "./Notice";
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
  const { texts, toggle, language } = useLanguage();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  return (
    <AppShell header={{ height: 56 }} padding={{ base: "xs", sm: "md" }}>
      <a className="skip" href="#content">{texts.skipToContent}</a>
      <AppShell.Header component="header">
        <Container size="xl" h="100%" px={{ base: "xs", xl: 0 }}>
          <Group h="100%" justify="space-between" wrap="nowrap">
            <Anchor component={Link} to="/" underline="never" c="inherit">
              <Group gap="xs" wrap="nowrap">
                <img src="/icon.svg" width={28} height={28} alt="" />
                <Text fw={700} size="lg">{texts.appName}</Text>
              </Group>
            </Anchor>
            <Group gap="xs" wrap="nowrap">
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
              <Route path="/" element={<CommunitiesPage />} />
              <Route path="/communities/:id" element={<CommunityPage />} />
              <Route path="/devices/:id" element={<DevicePage />} />
              <Route path="/gateways" element={<GatewaysPage />} />
              <Route path="/gateways/:id" element={<GatewayPage />} />
              <Route path="/claims" element={<ClaimsPage />} />
              <Route path="/profiles" element={<ProfilesPage />} />
              <Route path="*" element={<Empty text={texts.notFound} next={<Anchor component={Link} to="/">{texts.home}</Anchor>} />} />
            </Routes>
          </Suspense>
        </Container>
      </AppShell.Main>
    </AppShell>
  );
}
