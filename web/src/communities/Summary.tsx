import { Card, SimpleGrid, Text } from "@mantine/core";
import { Link } from "react-router";
import type { Bin, Device, Gateway } from "../api/client";
import { useTexts } from "../i18n/language";
import type { LiveStream } from "../live/stream";
import type { VocabularyOf } from "../vocabulary/useVocabulary";
import { alarmsOf, chargerStatus, isAlarmUnknown, isFull, isPlace, placeStatus, type PlaceStatus } from "./present";

interface Props {
  community: string;
  devices: Device[];
  gateways: Gateway[];
  stream: LiveStream | null;
  vocabulary: VocabularyOf;
  nowMs: number;
  isLate?: (device: string) => boolean;
  placeOf?: (charger: Device) => PlaceStatus | undefined;
  binOf?: ReadonlyMap<string, Bin>;
}

/** The community in five numbers. */
export function Summary({ community, devices, gateways, stream, vocabulary, nowMs, isLate, placeOf, binOf }: Props) {
  const texts = useTexts();
  const word = vocabulary.metric;
  const metrics = (device: Device) => stream?.metrics(device.id);
  const count = (statuses: string[], status: string) => statuses.filter((each) => each === status).length;
  const places = devices.filter((d) => isPlace(d, metrics(d))).map((d) => placeStatus(metrics(d), word, nowMs, isLate?.(d.id)));
  const chargers = devices.filter((d) => d.kind === "charging").map((d) => chargerStatus(metrics(d), word, nowMs, isLate?.(d.id), placeOf?.(d)));
  const bins = devices.filter((d) => d.kind === "waste").map((d) => isFull(metrics(d), word, nowMs, binOf?.get(d.id)));
  const full = bins.filter((each) => each === true).length;
  const alarms = devices.filter((d) => alarmsOf(metrics(d), word, nowMs).length > 0).length;
  const alarmsUnknown = devices.filter((d) => isAlarmUnknown(metrics(d), word, nowMs)).length;
  const online = gateways.filter((gateway) => stream?.gatewayOnline(gateway.id) ?? gateway.online).length;
  return (
    <SimpleGrid cols={{ base: 2, xs: 3, md: 5 }} spacing={{ base: 8, sm: "sm" }} className="summary">
      <Tile label={texts.freePlaces} value={`${count(places, "free")} / ${places.length}`} unknown={count(places, "unknown")} />
      <Tile label={texts.freeChargers} value={`${count(chargers, "free")} / ${chargers.length}`} unknown={count(chargers, "unknown")} />
      <Tile label={texts.fullBins} value={String(full)} unknown={bins.filter((each) => each === undefined).length} warn={full > 0} />
      <Tile label={texts.alarms} value={alarms ? String(alarms) : texts.noAlarms} unknown={alarmsUnknown} warn={alarms > 0} />
      <Tile label={texts.gatewaysOnline} value={`${online} / ${gateways.length}`} warn={online < gateways.length} to={`/gateways?community=${community}`} />
    </SimpleGrid>
  );
}

function Tile({ label, value, unknown = 0, warn = false, to }: { label: string; value: string; unknown?: number; warn?: boolean; to?: string }) {
  const texts = useTexts();
  const look = { withBorder: true, padding: "sm", ...(warn ? { style: { borderColor: "var(--mantine-color-orange-6)" } } : {}) };
  const content = (
    <>
      <Text size="sm" c="dimmed">{label}</Text>
      <Text size="xl" fw={700} {...(warn ? { className: "doubt" } : {})}>{value}</Text>
      {unknown > 0 && <Text size="xs" c="dimmed">{texts.unknownCount(unknown)}</Text>}
    </>
  );
  return to ? <Card component={Link} to={to} className="card" {...look}>{content}</Card> : <Card {...look}>{content}</Card>;
}
