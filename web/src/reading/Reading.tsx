import { Badge, Group, Text } from "@mantine/core";
import type { MetricState, MetricWord } from "../api/client";
import { useTexts } from "../i18n/language";
import { ageOf, isStale, shownAge, shownValue } from "./format";

/** One value as people see it: dimmed and marked when it is stale, with its age. */
export function Reading({ state, word, nowMs, size = "md" }: { state: MetricState | undefined; word: MetricWord | undefined; nowMs: number; size?: string }) {
  const texts = useTexts();
  if (!state) return <Text size={size} c="dimmed">{texts.valueUnknown}</Text>;
  const stale = isStale(state, word, nowMs);
  return (
    <Group gap={6} wrap="nowrap" align="baseline">
      <Text size={size} fw={600} {...(stale ? { c: "dimmed" } : {})} td={stale ? "line-through" : "none"}>
        {shownValue(state.value, word, texts)}
      </Text>
      {stale && <StaleBadge />}
    </Group>
  );
}

export function StaleBadge() {
  const texts = useTexts();
  return <Badge color="gray" variant="outline" size="sm" tt="none">{texts.stale}</Badge>;
}

export function Age({ state, nowMs }: { state: Pick<MetricState, "observed_at_ms">; nowMs: number }) {
  const texts = useTexts();
  return (
    <Text size="xs" c="dimmed" component="span" title={new Date(state.observed_at_ms).toLocaleString()} style={{ whiteSpace: "nowrap" }}>
      {shownAge(ageOf(state, nowMs), texts)}
    </Text>
  );
}
