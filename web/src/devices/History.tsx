import { Group, NativeSelect, SegmentedControl, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import type { Point } from "../api/client";
import { useTexts } from "../i18n/language";
import type { Metrics } from "../live/stream";
import { Failed } from "../Notice";
import { shownDuration, shownUnit } from "../reading/format";
import { alone, joined, withGaps } from "../reading/gaps";
import { inOrder } from "../reading/order";
import type { VocabularyOf } from "../vocabulary/useVocabulary";
import { load, RANGES, type Range } from "./history";
import { Plot } from "./Plot";

const LIVE_POINTS_MAX = 2000;

interface Props {
  device: string;
  metrics: Metrics;
  vocabulary: VocabularyOf;
  nowMs: number;
}

/** One metric over time. What comes live is appended; the whole is fetched again each minute, for what came late. */
export function History({ device, metrics, vocabulary, nowMs }: Props) {
  const texts = useTexts();
  const names = inOrder(Object.keys(metrics).filter((name) => (vocabulary.metric(name)?.type ?? "text") !== "text"));
  const [chosen, setChosen] = useState<string | null>(null);
  const [range, setRange] = useState<Range>("hour");
  const metric = chosen ?? names.find((name) => vocabulary.metric(name)?.type === "number" && !name.startsWith("battery")) ?? names[0] ?? "";
  const word = vocabulary.metric(metric);
  const history = useQuery({
    queryKey: ["history", device, metric, range],
    queryFn: () => (word ? load(device, word, range, nowMs) : null),
    enabled: word !== undefined,
    refetchInterval: 60_000,
    staleTime: 0,
  });
  const live = useLivePoints(metrics, metric);
  const endMs = Math.ceil(nowMs / TICK_MS[range]) * TICK_MS[range];
  const series = history.data;
  const plotted = useMemo(() => {
    if (!series || !word) return [];
    const isState = word.type !== "number";
    const numberOf = (value: Point["value"]) => {
      if (typeof value === "number") return value;
      if (typeof value === "boolean") return value ? 1 : 0;
      return typeof value === "string" && word.members.includes(value) ? word.members.indexOf(value) : null;
    };
    // A step's value stands at its beginning, so two neighbours are a step apart however short the limit is.
    const gapMs = Math.max(word.stale_after_ms, 1.5 * (series.stepMs ?? 0));
    return withGaps(joined(series.points, live), numberOf, { gapMs, holdUntilMs: isState ? endMs : null });
  }, [series, live, word, endMs]);
  const label = vocabulary.label(metric);
  const members = useMemo(() => {
    if (word?.type === "boolean") return [texts.no, texts.yes];
    return word?.type === "enum" ? word.members.map((member) => texts.members[member] ?? member) : [];
  }, [word, texts]);
  const dots = useMemo(() => alone(plotted), [plotted]);
  const step = series?.stepMs ? shownDuration(series.stepMs, texts) : null;
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
      {history.isError && <Failed error={history.error} retry={() => void history.refetch()} />}
      {plotted.length === 0 && series ? (
        <Text c="dimmed" py="xl" ta="center">{texts.noHistory}</Text>
      ) : (
        <Plot
          points={plotted}
          dots={dots}
          members={members}
          name={`${texts.historyOf(label)}: ${texts.points(plotted.length)}`}
          unit={shownUnit(word?.unit)}
          decimals={word?.decimals ?? 2}
          spanMs={RANGES[range]}
          endMs={endMs}
        />
      )}
      <Text size="xs" c="dimmed">{step ? (word?.type === "number" ? texts.meanOver(step) : texts.lastOf(step)) : texts.everySample}</Text>
    </>
  );
}

/** The plot's right edge moves on in ticks: drawing it anew for each second would be work for nothing. */
const TICK_MS: Record<Range, number> = { hour: 5000, day: 60_000, week: 300_000 };

/** The samples of a metric that came while the page is shown. */
function useLivePoints(metrics: Metrics, metric: string): Point[] {
  const [live, setLive] = useState<{ metric: string; points: Point[] }>({ metric: "", points: [] });
  const state = metrics[metric];
  const at = state?.observed_at_ms;
  useEffect(() => {
    if (!state) return;
    const point = { t_ms: state.observed_at_ms, value: state.quality === "bad" ? null : state.value, quality: state.quality } as Point;
    setLive((before) => {
      const points = before.metric === metric ? before.points : [];
      if ((points.at(-1)?.t_ms ?? 0) >= point.t_ms) return before.metric === metric ? before : { metric, points: [point] };
      return { metric, points: [...points, point].slice(-LIVE_POINTS_MAX) };
    });
    // Only a new sample counts: the state object itself is new on each drawing.
  }, [metric, at]);
  return live.metric === metric ? live.points : NONE;
}

const NONE: Point[] = [];
