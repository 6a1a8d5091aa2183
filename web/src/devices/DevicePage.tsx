import { Anchor, Badge, Breadcrumbs, Card, Grid, Group, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { api, data } from "../api/client";
import { CommandPanel } from "../commands/CommandPanel";
import { useTexts } from "../i18n/language";
import type { Metrics } from "../live/stream";
import { StreamBadge } from "../live/StreamBadge";
import { useLive, useNow } from "../live/useLive";
import { useTitle } from "../useTitle";
import { Failed, Loading } from "../Notice";
import { May } from "../people/May";
import { Age, Reading } from "../reading/Reading";
import { useName, useVocabulary, type VocabularyOf } from "../vocabulary/useVocabulary";
import { inOrder } from "../reading/order";
import { Emptyings } from "./Emptyings";
import { Findings } from "./Findings";
import { History } from "./History";
import { MoveCard } from "./MoveCard";
import { Sessions } from "./Sessions";

/** One device: what it says now, what it said, what it can be told. */
export function DevicePage() {
  const { id = "" } = useParams();
  const texts = useTexts();
  const name = useName();
  const vocabulary = useVocabulary();
  const stream = useLive("device", id);
  const nowMs = useNow(stream, 1000);
  const path = { params: { path: { device_id: id } } };
  const device = useQuery({ queryKey: ["device", id], queryFn: () => data(api.GET("/api/v1/devices/{device_id}", path)) });
  const state = useQuery({ queryKey: ["state", id], queryFn: () => data(api.GET("/api/v1/devices/{device_id}/state", path)) });
  const gatewayId = device.data?.gateway_id;
  const gateway = useQuery({
    queryKey: ["gateway", gatewayId],
    queryFn: () => data(api.GET("/api/v1/gateways/{gateway_id}", { params: { path: { gateway_id: gatewayId ?? "" } } })),
    enabled: gatewayId !== undefined,
    refetchInterval: 10_000,
  });
  const communityId = device.data?.community_id;
  const community = useQuery({
    queryKey: ["community", communityId],
    queryFn: () => data(api.GET("/api/v1/communities/{community_id}", { params: { path: { community_id: communityId ?? "" } } })),
    enabled: communityId !== undefined,
  });
  useTitle(device.data && name(device.data.name));
  if (device.isPending) return <Loading />;
  if (device.isError) return <Failed error={device.error} retry={() => void device.refetch()} />;
  const metrics: Metrics = { ...state.data?.metrics, ...stream?.metrics(id) };
  const online = gateway.data?.online;
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-end" gap="xs">
        <div>
          <Breadcrumbs>
            <Anchor component={Link} to="/" size="sm">{texts.communities}</Anchor>
            <Anchor component={Link} to={`/communities/${device.data.community_id}`} size="sm">{community.data ? name(community.data.name) : device.data.community_id}</Anchor>
          </Breadcrumbs>
          <Title order={1} size="h2">{name(device.data.name)}</Title>
        </div>
        <StreamBadge stream={stream} />
      </Group>
      <Group gap="lg">
        <Fact label={texts.externalId} value={device.data.external_id} />
        <Fact label={texts.profile} value={device.data.profile} />
        <Group gap={6}>
          <Fact label={texts.gateway} value={gateway.data ? name(gateway.data.name) : device.data.gateway_id} to={`/gateways/${device.data.gateway_id}`} />
          {online !== undefined && <Badge color={online ? "teal" : "red"} variant="light" tt="none">{online ? texts.online : texts.offline}</Badge>}
        </Group>
      </Group>
      <Grid gap="md">
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Stack gap="md">
            <Findings key={id} device={id} vocabulary={vocabulary} nowMs={nowMs} />
            <Current metrics={metrics} vocabulary={vocabulary} nowMs={nowMs} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Stack gap="md">
            <May permission="command" community={communityId}>
              <CommandPanel key={id} device={device.data} deviceName={name(device.data.name)} stream={stream} vocabulary={vocabulary} metrics={metrics} gatewayOnline={online ?? true} nowMs={nowMs} />
            </May>
            <Card withBorder padding="sm" component="section" aria-label={texts.history}>
              <History key={id} device={id} metrics={metrics} vocabulary={vocabulary} nowMs={nowMs} />
            </Card>
            {device.data.kind === "charging" && (
              <May permission="charging" community={communityId}>
                <Sessions key={id} device={id} nowMs={nowMs} />
              </May>
            )}
            {device.data.kind === "waste" && <Emptyings key={id} device={id} />}
            {device.data.status === "adopted" && (
              <May permission="set_up" community={communityId}>
                <MoveCard key={`move ${id}`} device={device.data} />
              </May>
            )}
          </Stack>
        </Grid.Col>
      </Grid>
    </Stack>
  );
}

function Fact({ label, value, to }: { label: string; value: string; to?: string }) {
  return (
    <div>
      <Text size="xs" c="dimmed">{label}</Text>
      <Text size="sm" style={{ overflowWrap: "anywhere" }}>
        {to ? <Anchor component={Link} to={to} inherit>{value}</Anchor> : value}
      </Text>
    </div>
  );
}

function Current({ metrics, vocabulary, nowMs }: { metrics: Metrics; vocabulary: VocabularyOf; nowMs: number }) {
  const texts = useTexts();
  const names = inOrder(Object.keys(metrics));
  return (
    <Card withBorder padding="sm" component="section" aria-label={texts.current}>
      <Title order={2} size="h4" mb="xs">{texts.current}</Title>
      {names.length === 0 ? (
        <Text c="dimmed">{texts.neverHeard}</Text>
      ) : (
        <Table verticalSpacing={4} horizontalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{texts.metric}</Table.Th>
              <Table.Th>{texts.value}</Table.Th>
              <Table.Th>{texts.ageHeading}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {names.map((metric) => {
              const state = metrics[metric];
              if (!state) return null;
              return (
                <Table.Tr key={metric}>
                  <Table.Th scope="row" fw={400}><Text size="sm">{vocabulary.label(metric)}</Text></Table.Th>
                  <Table.Td>
                    <Reading state={state} word={vocabulary.metric(metric)} nowMs={nowMs} size="sm" />
                    {state.reason && <Text size="xs" className="doubt">{texts.checks[state.reason] ?? state.reason}</Text>}
                  </Table.Td>
                  <Table.Td><Age state={state} nowMs={nowMs} /></Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      )}
    </Card>
  );
}
