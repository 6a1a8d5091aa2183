import { Anchor, Breadcrumbs, Group, SegmentedControl, SimpleGrid, Stack, Text, TextInput, Title } from "@mantine/core";
import { useDeferredValue, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import type { Device, Finding } from "../api/client";
import { useTexts } from "../i18n/language";
import { StreamBadge } from "../live/StreamBadge";
import { useLive, useNow } from "../live/useLive";
import { useTitle } from "../useTitle";
import { Empty, Failed, Loading } from "../Notice";
import { useName, useVocabulary } from "../vocabulary/useVocabulary";
import { BinCard, ChargerCard, DeviceCard, PlaceTile } from "./cards";
import { isPlace, placeStatus } from "./present";
import { Summary } from "./Summary";
import { useCommunity } from "./useCommunity";

const KINDS = ["parking", "charging", "waste", "building"] as const;

/** Everything of a community at present. */
export function CommunityPage() {
  const { id = "" } = useParams();
  const texts = useTexts();
  const name = useName();
  const vocabulary = useVocabulary();
  const stream = useLive("community", id);
  const nowMs = useNow(stream);
  const [search, setSearch] = useState("");
  const wanted = useDeferredValue(search.trim().toLowerCase());
  const [params, setParams] = useSearchParams();
  const kind = params.get("kind") ?? "all";
  const { community, devices, gateways, findings, bins } = useCommunity(id);
  useTitle(community.data && name(community.data.name));
  if (community.isPending || devices.isPending) return <Loading />;
  if (community.isError) return <Failed error={community.error} retry={() => void community.refetch()} />;
  if (devices.isError) return <Failed error={devices.error} retry={() => void devices.refetch()} />;

  const all = devices.data.items;
  const shown = all
    .filter((device) => kind === "all" || device.kind === kind)
    .filter((device) => !wanted || [device.name.zh, device.name.en, device.external_id].some((text) => text.toLowerCase().includes(wanted)))
    .sort((a, b) => name(a.name).localeCompare(name(b.name), undefined, { numeric: true }));
  const of = (each: Device["kind"]) => shown.filter((device) => device.kind === each);
  const metrics = (device: Device) => stream?.metrics(device.id);
  const findingsOf = byDevice(findings.data?.items ?? []);
  const binOf = new Map(bins.data?.items.map((bin) => [bin.device_id, bin]));
  const common = (device: Device) => ({ device, metrics: metrics(device), vocabulary, nowMs, findings: findingsOf.get(device.id) });
  const isLate = (device: string) => findingsOf.get(device)?.some((finding) => finding.check === "late") ?? false;
  const placeOf = (charger: Device) =>
    charger.place_id ? placeStatus(stream?.metrics(charger.place_id), vocabulary.metric, nowMs, isLate(charger.place_id)) : undefined;
  const places = of("parking").filter((device) => isPlace(device, metrics(device)));
  const barriers = of("parking").filter((device) => !isPlace(device, metrics(device)));

  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-end">
        <div>
          <Breadcrumbs><Anchor component={Link} to="/" size="sm">{texts.communities}</Anchor></Breadcrumbs>
          <Title order={1} size="h2">{name(community.data.name)}</Title>
        </div>
        <StreamBadge stream={stream} />
      </Group>
      {!stream?.ready ? (
        <Loading />
      ) : (
        <>
      <Summary community={id} devices={all} gateways={gateways.data?.items ?? []} isLate={isLate} placeOf={placeOf} binOf={binOf} stream={stream} vocabulary={vocabulary} nowMs={nowMs} />
      {all.length === 0 ? (
        <Empty text={texts.noDevices} next={texts.noDevicesNext} />
      ) : (
        <Group gap="sm">
          <SegmentedControl
            aria-label={texts.filter}
            value={kind}
            onChange={(value) => setParams(value === "all" ? {} : { kind: value }, { replace: true })}
            data={[{ value: "all", label: texts.allKinds }, ...KINDS.map((each) => ({ value: each, label: texts.kind[each] }))]}
            size="sm"
            className="filter"
          />
          <TextInput aria-label={texts.search} placeholder={texts.search} value={search} onChange={(event) => setSearch(event.currentTarget.value)} w={{ base: "100%", xs: 260 }} type="search" />
        </Group>
      )}
      {all.length > 0 && shown.length === 0 && <Empty text={texts.nothingFound} />}
      <Section title={texts.kind.parking} count={places.length}>
        <SimpleGrid cols={{ base: 4, xs: 6, sm: 8, lg: 10 }} spacing={8} verticalSpacing={8}>
          {places.map((device) => <PlaceTile key={device.id} {...common(device)} />)}
        </SimpleGrid>
      </Section>
      <Section title={texts.barriers} count={barriers.length}>
        <Cards>{barriers.map((device) => <DeviceCard key={device.id} {...common(device)} />)}</Cards>
      </Section>
      <Section title={texts.kind.charging} count={of("charging").length}>
        <Cards>{of("charging").map((device) => <ChargerCard key={device.id} {...common(device)} place={placeOf(device)} />)}</Cards>
      </Section>
      <Section title={texts.kind.waste} count={of("waste").length}>
        <Cards>{of("waste").map((device) => <BinCard key={device.id} {...common(device)} bin={binOf.get(device.id)} />)}</Cards>
      </Section>
      <Section title={texts.kind.building} count={of("building").length}>
        <Cards>{of("building").map((device) => <DeviceCard key={device.id} {...common(device)} />)}</Cards>
      </Section>
        </>
      )}
    </Stack>
  );
}

function byDevice(findings: Finding[]): Map<string, Finding[]> {
  const found = new Map<string, Finding[]>();
  for (const finding of findings) found.set(finding.device_id, [...(found.get(finding.device_id) ?? []), finding]);
  return found;
}

function Section({ title, count, children }: { title: string; count: number; children: React.ReactNode }) {
  if (count === 0) return null;
  return (
    <section aria-label={title}>
      <Group gap="xs" mb="xs">
        <Title order={2} size="h4">{title}</Title>
        <Text c="dimmed">{count}</Text>
      </Group>
      {children}
    </section>
  );
}

function Cards({ children }: { children: React.ReactNode }) {
  return <SimpleGrid cols={{ base: 2, md: 3, lg: 4 }} spacing={{ base: 8, sm: "sm" }}>{children}</SimpleGrid>;
}
