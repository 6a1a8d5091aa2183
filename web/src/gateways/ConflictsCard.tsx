import { Alert, Card, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, data } from "../api/client";
import { useLanguage } from "../i18n/language";
import { Failed } from "../Notice";
import { shownAge, shownTime } from "../reading/format";
import { count } from "./present";

const SHOWN = 20;

/** Frames that were kept out because another one has their number; total as the ledger counts them. Nothing when there is none. */
export function ConflictsCard({ gateway, total, nowMs }: { gateway: string; total: number; nowMs: number }) {
  const { language, texts } = useLanguage();
  const words = texts.gateways;
  const conflicts = useQuery({
    queryKey: ["conflicts", gateway, total],
    queryFn: () => data(api.GET("/api/v1/gateways/{gateway_id}/conflicts", { params: { path: { gateway_id: gateway }, query: { limit: SHOWN } } })),
    enabled: total > 0,
  });
  if (total === 0) return null;
  const items = conflicts.data?.items ?? [];
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.conflicts}>
      <Title order={2} size="h4" mb="xs">{words.conflicts}</Title>
      <Alert color="orange" mb="xs">{words.conflictsText(count(total))}</Alert>
      {conflicts.isError && <Failed error={conflicts.error} retry={() => void conflicts.refetch()} />}
      <Stack gap="xs" component="ul" className="plain">
        {items.map((item) => (
          <li key={`${item.epoch} ${item.lane} ${item.seq} ${item.received_ms} ${item.size_bytes}`}>
            <Group justify="space-between" gap="0 8px" align="baseline">
              <Text size="sm" fw={600}>{words.lane[item.lane]}: {words.frames(item.seq, item.seq)}</Text>
              <Text size="xs" c="dimmed" component="time" title={shownTime(item.received_ms, language)} className="steady">{shownAge(nowMs - item.received_ms, texts)}</Text>
            </Group>
            <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>{item.epoch}, {words.conflictWords(count(item.samples), shownTime(item.born_ms, language))}</Text>
          </li>
        ))}
        {total > items.length && items.length > 0 && <Text size="sm" c="dimmed" component="li">{words.more(total - items.length)}</Text>}
      </Stack>
    </Card>
  );
}
