import { Card, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { api, data } from "../api/client";
import { useLanguage } from "../i18n/language";
import { shownTime } from "../reading/format";

const SHOWN_MS = 14 * 86_400_000;

/** When a bin was emptied: the proof that the crew was there. Nothing where none is known. */
export function Emptyings({ device }: { device: string }) {
  const { language, texts } = useLanguage();
  const emptyings = useQuery({
    queryKey: ["emptyings", device],
    queryFn: () => {
      const query = { start_ms: Date.now() - SHOWN_MS };
      return data(api.GET("/api/v1/devices/{device_id}/emptyings", { params: { path: { device_id: device }, query } }));
    },
    refetchInterval: 60_000,
  });
  if (!emptyings.data?.items.length) return null;
  return (
    <Card withBorder padding="sm" component="section" aria-label={texts.emptyings}>
      <Title order={2} size="h4" mb="xs">{texts.emptyings}</Title>
      <Table verticalSpacing={4} horizontalSpacing={6}>
        <Table.Tbody>
          {emptyings.data.items.toReversed().map((emptied) => (
            <Table.Tr key={emptied.t_ms}>
              <Table.Td><Text size="sm">{shownTime(emptied.t_ms, language)}</Text></Table.Td>
              <Table.Td><Text size="sm">{Math.round(emptied.from_percent)} % → {Math.round(emptied.to_percent)} %</Text></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Card>
  );
}
