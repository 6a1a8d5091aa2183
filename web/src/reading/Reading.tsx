import { Badge, Group, Text } from "@mantine/core";
import type { MetricState, MetricWord } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { ageOf, isStale, shownAge, shownTime, shownValue } from "./format";

interface Props {
  state: MetricState | undefined;
  word: MetricWord | undefined;
  nowMs: number;
  size?: string;
}

/** One value as people see it. Past its limit it is unknown, with what it was last; a doubtful one says so. */
export function Reading({ state, word, nowMs, size = "md" }: Props) {
  const texts = useTexts();
  if (!state) return <Text size={size} c="dimmed">{texts.valueUnknown}</Text>;
  const text = shownValue(state.quality === "bad" ? null : state.value, word, texts);
  if (isStale(state, word, nowMs)) {
    return (
      <Text size={size} c="dimmed" component="span">
        {texts.valueUnknown} <Text span size="xs">({texts.last(text)})</Text>
      </Text>
    );
  }
  return (
    <Group gap={6} wrap="nowrap" align="baseline">
      <Text size={size} fw={600} component="span">{text}</Text>
      {state.quality !== "good" && (
        <Badge color="orange.9" variant="outline" size="sm" tt="none">{texts.quality[state.quality] ?? state.quality}</Badge>
      )}
    </Group>
  );
}

export function Age({ state, nowMs }: { state: Pick<MetricState, "observed_at_ms">; nowMs: number }) {
  const { language, texts } = useLanguage();
  return (
    <Text size="xs" c="dimmed" component="time" title={shownTime(state.observed_at_ms, language)} className="steady">
      {shownAge(ageOf(state, nowMs), texts)}
    </Text>
  );
}
