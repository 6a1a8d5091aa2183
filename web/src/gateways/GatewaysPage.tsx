import { Anchor, Badge, Breadcrumbs, Card, Group, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { api, data, type Gateway } from "../api/client";
import { useTexts } from "../i18n/language";
import { useNow } from "../live/useLive";
import { Empty, Failed, Loading } from "../Notice";
import { May } from "../people/May";
import { shownAge } from "../reading/format";
import { useTitle } from "../useTitle";
import { useName } from "../vocabulary/useVocabulary";
import { OnlineBadge } from "./OnlineBadge";
import { OutboxBar } from "./OutboxBar";
import { concernsOf } from "./present";

/** All gateways, or those of one community; what needs somebody comes first. */
export function GatewaysPage() {
  const texts = useTexts();
  const name = useName();
  const nowMs = useNow(null);
  const [params] = useSearchParams();
  const community = params.get("community") ?? "";
  const gateways = useQuery({
    queryKey: ["gateways", community],
    queryFn: () => data(api.GET("/api/v1/gateways", { params: { query: { community, limit: 1000 } } })),
    refetchInterval: 5_000,
  });
  const communities = useQuery({
    queryKey: ["communities"],
    queryFn: () => data(api.GET("/api/v1/communities", { params: { query: { limit: 1000 } } })),
  });
  useTitle(texts.gateways.title);
  if (gateways.isPending) return <Loading />;
  if (gateways.isError) return <Failed error={gateways.error} retry={() => void gateways.refetch()} />;
  const nameOf = (id: string) => {
    const found = communities.data?.items.find((each) => each.id === id);
    return found ? name(found.name) : id;
  };
  const urgency = (gateway: Gateway) => (gateway.online ? 0 : 100) + concernsOf(gateway, undefined, nowMs).length;
  const items = [...gateways.data.items].sort((a, b) => urgency(b) - urgency(a) || a.id.localeCompare(b.id));
  return (
    <Stack gap="md">
      <div>
        {community && (
          <Breadcrumbs>
            <Anchor component={Link} to="/" size="sm">{texts.communities}</Anchor>
            <Anchor component={Link} to={`/communities/${community}`} size="sm">{nameOf(community)}</Anchor>
          </Breadcrumbs>
        )}
        <Group justify="space-between" align="baseline">
          <Title order={1} size="h2">{texts.gateways.title}</Title>
          <May permission="install"><Anchor component={Link} to="/claims">{texts.claims.title}</Anchor></May>
        </Group>
      </div>
      {items.length === 0 && <Empty text={texts.gateways.none} next={texts.gateways.noneNext} />}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing={{ base: 8, sm: "sm" }}>
        {items.map((gateway) => <GatewayCard key={gateway.id} gateway={gateway} community={community ? "" : nameOf(gateway.community_id)} nowMs={nowMs} />)}
      </SimpleGrid>
    </Stack>
  );
}

function GatewayCard({ gateway, community, nowMs }: { gateway: Gateway; community: string; nowMs: number }) {
  const texts = useTexts();
  const words = texts.gateways;
  const name = useName();
  const concerns = concernsOf(gateway, undefined, nowMs);
  const badge = { deaf: words.deaf, twin: words.twin, clock: words.clockWrong, full: "", unexplained: "", configuration: words.notApplied(gateway.desired_version, gateway.reported_version) };
  return (
    <Card component={Link} to={`/gateways/${gateway.id}`} withBorder padding="sm" className="card" {...(!gateway.online || concerns.length ? { style: { borderColor: "var(--mantine-color-orange-6)" } } : {})}>
      <Stack gap={6} h="100%">
        <Group justify="space-between" align="flex-start" gap="2px 6px" wrap="nowrap">
          <Text fw={600}>{name(gateway.name)}</Text>
          <OnlineBadge online={gateway.online} />
        </Group>
        {community && <Text size="sm" c="dimmed">{community}</Text>}
        {concerns.map((concern) => badge[concern] && <Badge key={concern} color="orange.9" tt="none" h="auto" style={{ whiteSpace: "normal" }}>⚠ {badge[concern]}</Badge>)}
        {gateway.last_word && <OutboxBar word={gateway.last_word} online={gateway.online} />}
        <Text size="xs" c="dimmed" mt="auto">
          {gateway.last_seen_ms == null ? words.neverThere : words.lastWord(shownAge(nowMs - gateway.last_seen_ms, texts))}
        </Text>
      </Stack>
    </Card>
  );
}
