import { Badge, Card, Group, Progress, Stack, Text } from "@mantine/core";
import { memo, type ReactNode } from "react";
import { Link } from "react-router";
import type { Bin, Device, Finding } from "../api/client";
import { useTexts } from "../i18n/language";
import type { Metrics } from "../live/stream";
import { TELLING } from "../reading/order";
import { Reading } from "../reading/Reading";
import { shownAge, shownDuration } from "../reading/format";
import { useName, type VocabularyOf } from "../vocabulary/useVocabulary";
import { alarmsOf, BIN_FULL, chargerStatus, fillLevel, isFull, lastHeardMs, placeStatus, type PlaceStatus } from "./present";

interface Props {
  device: Device;
  metrics: Metrics | undefined;
  vocabulary: VocabularyOf;
  nowMs: number;
  findings?: Finding[] | undefined;
}

const isLate = (findings: Finding[] | undefined) => findings?.some((finding) => finding.check === "late") ?? false;

const SIGN: Record<PlaceStatus, string> = { free: "○", occupied: "■", blocked: "⊘", reserved: "◐", out_of_service: "✕", unknown: "?" };
const COLOR: Record<PlaceStatus, string> = { free: "teal", occupied: "gray", blocked: "orange", reserved: "blue", out_of_service: "red", unknown: "yellow" };

/** A parking place: colour, sign and words say the same. */
export const PlaceTile = memo(function PlaceTile({ device, metrics, vocabulary, nowMs, findings }: Props) {
  const texts = useTexts();
  const name = useName();
  const status = placeStatus(metrics, vocabulary.metric, nowMs, isLate(findings));
  const heard = lastHeardMs(metrics, nowMs);
  const age = heard === undefined ? texts.neverHeard : shownAge(nowMs - heard, texts);
  const label = name(device.name).replace(/^Place |\s*车位$/g, "");
  return (
    <Link className="place" data-status={status} to={`/devices/${device.id}`} aria-label={`${name(device.name)}: ${texts.status[status]}, ${age}`} title={age}>
      <Text component="span" fw={600} size="sm" display="block">{label}</Text>
      <Text component="span" size="xs" display="block"><span aria-hidden>{SIGN[status]} </span>{texts.status[status]}</Text>
      <Text component="span" size="xs" c="dimmed" display="block">{heard === undefined ? "–" : shownDuration(Math.max(0, nowMs - heard), texts)}{findings?.length ? <span aria-hidden> ⚑</span> : null}</Text>
    </Link>
  );
});

function Frame({ device, metrics, vocabulary, nowMs, findings, children, badge }: Props & { children: ReactNode; badge?: ReactNode }) {
  const texts = useTexts();
  const name = useName();
  const alarms = alarmsOf(metrics, vocabulary.metric, nowMs);
  const heard = lastHeardMs(metrics, nowMs);
  return (
    <Card component={Link} to={`/devices/${device.id}`} withBorder padding="sm" className="card" {...(alarms.length ? { style: { borderColor: "var(--mantine-color-red-6)" } } : {})}>
      <Stack gap={6} h="100%">
        <Group justify="space-between" align="flex-start" gap="2px 6px">
          <Text fw={600}>{name(device.name)}</Text>
          {badge}
        </Group>
        {alarms.map((alarm) => <Badge key={alarm} color="red" tt="none">⚠ {vocabulary.label(alarm)}</Badge>)}
        {findings?.map((finding) => <Text key={`${finding.check} ${finding.metric}`} size="xs" className="doubt">⚑ {texts.checks[finding.check] ?? finding.check}</Text>)}
        {children}
        <Text size="xs" c="dimmed" mt="auto">{heard === undefined ? texts.neverHeard : shownAge(nowMs - heard, texts)}</Text>
      </Stack>
    </Card>
  );
}

function Line({ name, metrics, vocabulary, nowMs }: { name: string } & Omit<Props, "device">) {
  if (!metrics?.[name]) return null;
  return (
    <Group justify="space-between" gap="0 8px">
      <Text size="sm" c="dimmed">{vocabulary.label(name)}</Text>
      <Reading state={metrics[name]} word={vocabulary.metric(name)} nowMs={nowMs} size="sm" />
    </Group>
  );
}

/** place: how the place before it is, where one is known. */
export const ChargerCard = memo(function ChargerCard({ place, ...props }: Props & { place?: PlaceStatus | undefined }) {
  const texts = useTexts();
  const status = chargerStatus(props.metrics, props.vocabulary.metric, props.nowMs, isLate(props.findings), place);
  const said = props.metrics?.connector_status?.value;
  const words = status === "unknown" || status === "blocked" ? texts.status[status] : typeof said === "string" ? (texts.members[said] ?? said) : "";
  return (
    <Frame {...props} badge={<Badge color={COLOR[status]} variant="light" tt="none" style={{ flexShrink: 0 }}>{SIGN[status]} {words}</Badge>}>
      <div>
        <Line name="power_active_import" {...props} />
        <Line name="current_import" {...props} />
        <Line name="session_energy" {...props} />
      </div>
    </Frame>
  );
});

/** bin: what the cloud makes of its past: level by its height, when it will be full, when it was emptied. */
export const BinCard = memo(function BinCard({ bin, ...props }: Props & { bin?: Bin | undefined }) {
  const texts = useTexts();
  const { nowMs, metrics, vocabulary } = props;
  const level = fillLevel(metrics, vocabulary.metric, nowMs) ?? bin?.fill_percent ?? undefined;
  const full = isFull(metrics, vocabulary.metric, nowMs, bin);
  const color = level !== undefined && level >= BIN_FULL ? "orange" : "teal";
  return (
    <Frame {...props} badge={full && <Badge color="orange.9" tt="none">{texts.fullBins}</Badge>}>
      {level === undefined ? (
        <Text size="sm" c="dimmed">{texts.fillUnknown}</Text>
      ) : (
        <Group gap={8} wrap="nowrap">
          <Progress value={level} color={color} size="lg" flex={1} aria-label={`${vocabulary.label("fill_level")} ${Math.round(level)} %`} />
          <Text size="sm" fw={600} className="steady">{Math.round(level)} %</Text>
        </Group>
      )}
      {bin?.full_at_ms && bin.full_at_ms > nowMs ? <Text size="sm" c="dimmed">{texts.fullIn(shownDuration(bin.full_at_ms - nowMs, texts))}</Text> : null}
      {bin?.emptied_at_ms ? <Text size="sm" c="dimmed">{texts.emptied(shownAge(nowMs - bin.emptied_at_ms, texts))}</Text> : null}
      <div>
        <Line name="compactor_state" {...props} />
        <Line name="temperature" {...props} />
      </div>
    </Frame>
  );
});

/** Anything else: its most telling values. */
export const DeviceCard = memo(function DeviceCard(props: Props) {
  const names = [...TELLING, "battery_level"].filter((name) => props.metrics?.[name]).slice(0, 4);
  return (
    <Frame {...props}>
      <div>{names.map((name) => <Line key={name} name={name} {...props} />)}</div>
    </Frame>
  );
});
