import { Alert, Anchor, Breadcrumbs, Card, Grid, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { api, data, type Gateway } from "../api/client";
import { CertificatesCard } from "../claims/CertificatesCard";
import { SiteChargingCard } from "../charging/SiteChargingCard";
import { useTexts } from "../i18n/language";
import { useNow } from "../live/useLive";
import { Failed, Loading } from "../Notice";
import { May } from "../people/May";
import { shownAge } from "../reading/format";
import { useTitle } from "../useTitle";
import { useName } from "../vocabulary/useVocabulary";
import { ConflictsCard } from "./ConflictsCard";
import { DiscoveriesCard } from "./DiscoveriesCard";
import { LedgerCard } from "./LedgerCard";
import { OnlineBadge } from "./OnlineBadge";
import { OutboxBar } from "./OutboxBar";
import { concernsOf } from "./present";
import { QuarantineCard } from "./QuarantineCard";

/** One gateway: is it there, does everything it produced add up, what was refused. */
export function GatewayPage() {
  const { id = "" } = useParams();
  const texts = useTexts();
  const name = useName();
  const nowMs = useNow(null);
  const path = { params: { path: { gateway_id: id } } };
  const gateway = useQuery({
    queryKey: ["gateway", id],
    queryFn: () => data(api.GET("/api/v1/gateways/{gateway_id}", path)),
    refetchInterval: 5_000,
  });
  const ledger = useQuery({
    queryKey: ["ledger", id],
    queryFn: () => data(api.GET("/api/v1/gateways/{gateway_id}/ledger", path)),
    refetchInterval: 5_000,
  });
  const communityId = gateway.data?.community_id;
  const community = useQuery({
    queryKey: ["community", communityId],
    queryFn: () => data(api.GET("/api/v1/communities/{community_id}", { params: { path: { community_id: communityId ?? "" } } })),
    enabled: communityId !== undefined,
  });
  useTitle(gateway.data && name(gateway.data.name));
  if (gateway.isPending) return <Loading />;
  if (gateway.isError) return <Failed error={gateway.error} retry={() => void gateway.refetch()} />;
  const { community_id, online, last_word, last_seen_ms } = gateway.data;
  return (
    <Stack gap="md">
      <div>
        <Breadcrumbs>
          <Anchor component={Link} to="/" size="sm">{texts.communities}</Anchor>
          <Anchor component={Link} to={`/communities/${community_id}`} size="sm">{community.data ? name(community.data.name) : community_id}</Anchor>
          <Anchor component={Link} to={`/gateways?community=${community_id}`} size="sm">{texts.gateways.title}</Anchor>
        </Breadcrumbs>
        <Group gap="xs" align="center">
          <Title order={1} size="h2">{name(gateway.data.name)}</Title>
          <OnlineBadge online={online} />
          <Text size="sm" c="dimmed">{last_seen_ms == null ? texts.gateways.neverThere : texts.gateways.lastWord(shownAge(nowMs - last_seen_ms, texts))}</Text>
        </Group>
      </div>
      <Notices gateway={gateway.data} nowMs={nowMs} />
      <Facts gateway={gateway.data} />
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Stack gap="md">
            {last_word && (
              <Card withBorder padding="sm" component="section" aria-label={texts.gateways.outbox}>
                <OutboxBar word={last_word} online={online} details />
              </Card>
            )}
            {ledger.isError && <Failed error={ledger.error} retry={() => void ledger.refetch()} />}
            {ledger.data && <LedgerCard ledger={ledger.data} />}
            {ledger.data && (
              <May permission="diagnose" community={community_id}>
                <ConflictsCard gateway={id} total={ledger.data.conflicts} nowMs={nowMs} />
              </May>
            )}
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Stack gap="md">
            <May permission="set_up" community={community_id}>
              <SiteChargingCard gateway={id} />
            </May>
            <May permission="diagnose" community={community_id}>
              <DiscoveriesCard gateway={id} nowMs={nowMs} />
              <QuarantineCard gateway={id} nowMs={nowMs} />
            </May>
            <May permission="install" community={community_id}>
              <CertificatesCard gateway={id} nowMs={nowMs} />
            </May>
          </Stack>
        </Grid.Col>
      </Grid>
    </Stack>
  );
}

/** What somebody has to look after, in words that say what it means. */
function Notices({ gateway, nowMs }: { gateway: Gateway; nowMs: number }) {
  const texts = useTexts();
  const words = texts.gateways;
  const concerns = concernsOf(gateway, undefined, nowMs);
  const twinAge = gateway.twin_seen_ms == null ? "" : shownAge(nowMs - gateway.twin_seen_ms, texts);
  return (
    <>
      {concerns.includes("deaf") && <Alert color="orange" title={words.deaf}>{words.deafText}</Alert>}
      {concerns.includes("twin") && <Alert color="red" title={words.twin} role="alert">{words.twinText(twinAge)}</Alert>}
      {twinAge && !concerns.includes("twin") && <Text size="sm" c="dimmed">{words.twinPast(twinAge)}</Text>}
      {concerns.includes("clock") && <Alert color="orange" title={words.clockWrong}>{words.clockWrongText}</Alert>}
      {concerns.includes("configuration") && (
        <Alert color="orange" title={words.notApplied(gateway.desired_version, gateway.reported_version)}>{texts.reasons[gateway.reported_reason] ?? gateway.reported_reason}</Alert>
      )}
    </>
  );
}

function Facts({ gateway }: { gateway: Gateway }) {
  const words = useTexts().gateways;
  const error = gateway.last_word?.clock_error_ms;
  const isApplied = gateway.desired_version === gateway.reported_version;
  const facts: [string, string][] = [
    [words.id, gateway.id],
    ...(gateway.instance ? [[words.instance, gateway.instance] as [string, string]] : []),
    [words.agent, gateway.agent_version || "–"],
    [words.configuration, isApplied ? words.applied(gateway.reported_version) : words.notApplied(gateway.desired_version, gateway.reported_version)],
    [words.clock, error == null ? words.clockUnmeasured : words.clockGood(error < 1000 ? `${error} ms` : `${(error / 1000).toFixed(1)} s`)],
  ];
  return (
    <Group gap="lg" component="dl" m={0}>
      {facts.map(([label, value]) => (
        <div key={label}>
          <Text size="xs" c="dimmed" component="dt">{label}</Text>
          <Text size="sm" component="dd" m={0} style={{ overflowWrap: "anywhere" }}>{value}</Text>
        </div>
      ))}
    </Group>
  );
}
