import { Alert, Card, Stack, Table, Text, Title } from "@mantine/core";
import type { Ledger, LedgerEpoch } from "../api/client";
import { useTexts } from "../i18n/language";
import { count, DROPS_SHOWN, dropsOf } from "./present";

/** Produced = stored + declared drops + still buffered: as a sentence, as numbers, and by outbox file. */
export function LedgerCard({ ledger }: { ledger: Ledger }) {
  const texts = useTexts();
  const words = texts.gateways;
  const rows: [string, number][] = [
    [words.produced, ledger.produced],
    [words.stored, ledger.stored],
    [words.dropped, ledger.declared_dropped],
    [words.buffered, ledger.buffered],
    [words.missing, ledger.unexplained],
  ];
  const drops = dropsOf(ledger.epochs, texts);
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.ledger}>
      <Title order={2} size="h4" mb="xs">{words.ledger}</Title>
      <Text>{words.ledgerWords(count(ledger.produced), count(ledger.stored), count(ledger.declared_dropped), count(ledger.buffered))}</Text>
      {ledger.balanced ? (
        <Text fw={600} className="sound">✓ {words.balanced}</Text>
      ) : (
        <Alert color="red" my="xs" role="alert">{words.unexplained(count(ledger.unexplained))}</Alert>
      )}
      <Table verticalSpacing={4} horizontalSpacing={6} my="xs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th />
            <Table.Th ta="right">{words.samples}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(([label, samples]) => (
            <Table.Tr key={label}>
              <Table.Th scope="row" fw={400}>{label}</Table.Th>
              <Table.Td ta="right" className="steady">{count(samples)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Title order={3} size="h6" mt="sm">{words.drops}</Title>
      {drops.length === 0 ? (
        <Text size="sm" c="dimmed">{words.noDrops}</Text>
      ) : (
        <Stack gap={2} component="ul" className="plain">
          {drops.slice(0, DROPS_SHOWN).map((drop) => (
            <Text key={drop.key} size="sm" component="li">
              {drop.words} <Text span c="dimmed">({drop.reason})</Text>
            </Text>
          ))}
          {drops.length > DROPS_SHOWN && <Text size="sm" c="dimmed" component="li">{words.more(drops.length - DROPS_SHOWN)}</Text>}
        </Stack>
      )}
      <Title order={3} size="h6" mt="sm">{words.epochs}</Title>
      <Stack gap={6} component="ul" className="plain">
        {ledger.epochs.map((epoch) => <Epoch key={`${epoch.epoch}/${epoch.lane}`} epoch={epoch} />)}
      </Stack>
    </Card>
  );
}

function Epoch({ epoch }: { epoch: LedgerEpoch }) {
  const words = useTexts().gateways;
  return (
    <li>
      <Text size="sm">{words.lane[epoch.lane]}: {words.epochWords(count(epoch.stored), count(epoch.produced))}</Text>
      <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {epoch.epoch}, {epoch.last_seq > 0 ? words.frames(epoch.first_seq, epoch.last_seq) : words.noFrames}
      </Text>
    </li>
  );
}
