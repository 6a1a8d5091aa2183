import { Alert, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, data } from "../api/client";
import { useTexts } from "../i18n/language";
import { shownAge } from "../reading/format";
import type { VocabularyOf } from "../vocabulary/useVocabulary";

/** What the checks find wrong with a device; nothing where all is well. */
export function Findings({ device, vocabulary, nowMs }: { device: string; vocabulary: VocabularyOf; nowMs: number }) {
  const texts = useTexts();
  const findings = useQuery({
    queryKey: ["findings of", device],
    queryFn: () => data(api.GET("/api/v1/findings", { params: { query: { device } } })),
    refetchInterval: 15_000,
  });
  if (!findings.data?.items.length) return null;
  return (
    <Alert color="orange" title={texts.findings} role="status">
      {findings.data.items.map((finding) => (
        <div key={`${finding.check} ${finding.metric}`}>
          <Text size="sm" fw={600}>
            {texts.checks[finding.check] ?? finding.check}
            {finding.metric ? ` · ${vocabulary.label(finding.metric)}` : ""}
          </Text>
          <Text size="xs">{texts.since} {shownAge(nowMs - finding.since_ms, texts)} · {finding.detail}</Text>
        </div>
      ))}
    </Alert>
  );
}
