import { Group, NativeSelect, SegmentedControl, Text, Title, VisuallyHidden } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type MetricWord, type Point } from "../api/client";
import { useTexts } from "../i18n/language";
import type { Metrics } from "../live/stream";
import { shownUnit } from "../reading/format";
import { withGaps } from "../reading/gaps";
import type { VocabularyOf } from "../vocabulary/useVocabulary";
import { Plot } from "./Plot";

const HOUR = 3_600_000;
const RANGES = { hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR } as const;
type Range = keyof typeof RANGES;
const RAW_LIMIT = 1000;

/** Means over steps for long ranges, raw samples for the hour. Enums, flags and texts: the last of each step. */
async function load(device: string, word: MetricWord, range: Range, nowMs: number): Promise<Point[]> {
  const span = RANGES[range];
  const query = { metric: word.name, start_ms: nowMs - span, end_ms: nowMs + 60_000, limit: RAW_LIMIT };
  const step = range === "hour" ? {} : { step_ms: range === "day" ? 300_000 : 1_800_000, aggregate: word.type === "number" ? ("mean" as const) : ("last" as const) };
  const points: Point[] = [];
  let cursor: string | null = null;
  do {
    const page: { points: Point[]; next_cursor?: string | null } = await data(
      api.GET("/api/v1/devices/{device_id}/telemetry", {
        params: { path: { device_id: device }, query: { ...query, ...step, ...(cursor ? { cursor } : {}) } },
      }),
    );
    points.push(...page.points);
    cursor = page.next_cursor ?? null;
  } while (cursor && points.length < 10 * RAW_LIMIT);
  return points;
}

interface Props {
  device: string;
  metrics: Metrics;
  vocabulary: VocabularyOf;
  clockOffsetMs: number;
}

export function History({ device, metrics, vocabulary, clockOffsetMs }: Props) {
  const texts = useTexts();
  const names = Object.keys(metrics).filter((name) => vocabulary.metric(name)?.type !== "text").sort();
  const preferred = ["power_active_import", "fill_level", "fill_distance", "co2", "temperature", "spot_status", "barrier_state", "valve_open"];
  const [chosen, setChosen] = useState<string | null>(null);
  const [range, setRange] = useState<Range>("hour");
  const metric = chosen ?? preferred.find((name) => names.includes(name)) ?? names[0];
  const word = metric ? vocabulary.metric(metric) : undefined;
  const newest = metric ? (metrics[metric]?.observed_at_ms ?? 0) : 0;
  const history = useQuery({
    // the newest sample's time in the key: a live value brings the plot up to date
    queryKey: ["history", device, metric, range, range === "hour" ? Math.floor(newest / 2000) : Math.floor(newest / 60_000)],
    queryFn: () => (word ? load(device, word, range, Date.now() + clockOffsetMs) : []),
    enabled: word !== undefined,
    placeholderData: (before) => before,
  });
  if (!metric || !word) return <Title order={2} size="h4">{texts.history}</Title>;
  const members = word.type === "enum" ? word.members : word.type === "boolean" ? [texts.no, texts.yes] : [];
  const numberOf = (value: Point["value"]) => {
    if (typeof value === "number") return value;
    if (typeof value === "boolean") return value ? 1 : 0;
    return typeof value === "string" && word.members.includes(value) ? word.members.indexOf(value) : null;
  };
  const gapMs = Math.min(word.stale_after_ms, RANGES[range] / 4);
  const points = withGaps(history.data ?? [], gapMs, numberOf);
  return (
    <>
      <Group justify="space-between" mb="xs" gap="xs">
        <Title order={2} size="h4">{texts.history}</Title>
        <Group gap="xs">
          <NativeSelect
            aria-label={texts.metric}
            value={metric}
            onChange={(event) => setChosen(event.currentTarget.value)}
            data={names.map((name) => ({ value: name, label: vocabulary.label(name) }))}
          />
          <SegmentedControl
            aria-label={texts.range}
            value={range}
            onChange={(value) => setRange(value as Range)}
            data={(Object.keys(RANGES) as Range[]).map((value) => ({ value, label: texts.ranges[value] }))}
          />
        </Group>
      </Group>
      {history.data?.length === 0 ? (
        <Text c="dimmed" py="xl" ta="center">{texts.noHistory}</Text>
      ) : (
        <>
          <Plot
            points={points}
            members={members.map((member) => texts.members[member] ?? member)}
            name={vocabulary.label(metric)}
            unit={shownUnit(word.unit)}
            spanMs={RANGES[range]}
            endMs={Date.now() + clockOffsetMs}
          />
          <VisuallyHidden>{texts.historyOf(vocabulary.label(metric))}: {points.length}</VisuallyHidden>
        </>
      )}
    </>
  );
}
