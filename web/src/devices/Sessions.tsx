import { Card, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, data } from "../api/client";
import { useLanguage } from "../i18n/language";
import { shownDuration, shownTime, shownValue } from "../reading/format";

const WEEK_MS = 7 * 86_400_000;
const SHOWN = 20;

/** A pile's charging sessions of the last week, the newest first. */
export function Sessions({ device, nowMs }: { device: string; nowMs: number }) {
  const { language, texts } = useLanguage();
  const sessions = useQuery({
    queryKey: ["sessions", device],
    queryFn: () => {
      const end_ms = Date.now();
      const query = { start_ms: end_ms - WEEK_MS, end_ms, newest: SHOWN };
      return data(api.GET("/api/v1/devices/{device_id}/charging-sessions", { params: { path: { device_id: device }, query } }));
    },
    refetchInterval: 30_000,
  });
  if (!sessions.data) return null;
  const items = sessions.data.items.toReversed();
  const isSaid = items.some((session) => session.source === "transaction");
  return (
    <Card withBorder padding="sm" component="section" aria-label={texts.sessions}>
      <Title order={2} size="h4" mb="xs">{texts.sessions}</Title>
      {items.length === 0 ? (
        <Text c="dimmed">{texts.noSessions}</Text>
      ) : (
        <Table verticalSpacing={4} horizontalSpacing={6}>
          <Table.Thead>
            <Table.Tr><Table.Th>{texts.since}</Table.Th><Table.Th>{texts.duration}</Table.Th><Table.Th>{texts.energy}</Table.Th>{isSaid && <Table.Th>{texts.charging.token}</Table.Th>}</Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((session) => (
              <Table.Tr key={session.transaction ?? session.begin_ms}>
                <Table.Td><Text size="sm">{shownTime(session.begin_ms, language)}</Text></Table.Td>
                <Table.Td>
                  <Text size="sm">
                    {shownDuration((session.end_ms ?? nowMs) - session.begin_ms, texts)}
                    {session.end_ms === null && ` (${texts.running})`}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <Text size="sm" fw={600}>
                    {(session.register_resets ?? 0) > 0 && `${texts.atLeast} `}
                    {session.energy_wh === null ? texts.valueUnknown : shownValue(session.energy_wh, { unit: "W.h", decimals: 0 }, texts)}
                  </Text>
                </Table.Td>
                {isSaid && <Table.Td><Text size="sm" title={session.reason}>{session.token}</Text></Table.Td>}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Card>
  );
}
