import { Card, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, data } from "../api/client";
import { useLanguage } from "../i18n/language";
import { Failed } from "../Notice";
import { shownAge, shownTime } from "../reading/format";

const SHOWN = 20;

/** What was refused of this gateway and its devices, newest first. */
export function QuarantineCard({ gateway, nowMs }: { gateway: string; nowMs: number }) {
  const { language, texts } = useLanguage();
  const words = texts.gateways;
  const refused = useQuery({
    queryKey: ["quarantine", gateway],
    queryFn: () => data(api.GET("/api/v1/quarantine", { params: { query: { gateway, limit: SHOWN } } })),
    refetchInterval: 15_000,
  });
  const items = refused.data?.items ?? [];
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.quarantine}>
      <Title order={2} size="h4" mb="xs">{words.quarantine}</Title>
      {refused.isError && <Failed error={refused.error} retry={() => void refused.refetch()} />}
      {refused.isSuccess && items.length === 0 && <Text c="dimmed">{words.quarantineNone}</Text>}
      <Stack gap="xs" component="ul" className="plain">
        {items.map((item) => (
          <li key={`${item.at_ms} ${item.topic} ${item.reason} ${item.head_base64}`}>
            <Group justify="space-between" gap="0 8px" align="baseline">
              <Text size="sm" fw={600}>{words.refusedReasons[item.reason] ?? item.reason}{item.count > 1 && ` · ${words.times(item.count)}`}</Text>
              <Text size="xs" c="dimmed" component="time" title={shownTime(item.at_ms, language)} className="steady">{shownAge(nowMs - item.at_ms, texts)}</Text>
            </Group>
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>{item.topic}</Text>
            <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
              {words.origin[item.origin]}{item.detail && item.detail !== item.topic && `: ${item.detail}`}
            </Text>
            {item.recovered && <Text size="xs">✓ {texts.profiles.recovered(item.recovered.profile, item.recovered.profile_version)}</Text>}
          </li>
        ))}
      </Stack>
    </Card>
  );
}
