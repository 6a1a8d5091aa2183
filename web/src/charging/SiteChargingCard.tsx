import { Alert, Badge, Button, Card, Group, Modal, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type SiteCharging } from "../api/client";
import { useTexts } from "../i18n/language";
import { Failed } from "../Notice";
import { carriesFailSafe, draftOf } from "./form";
import { SiteChargingForm } from "./SiteChargingForm";

/** How a gateway's site charges: its fuse, its charge points, who may charge. */
export function SiteChargingCard({ gateway }: { gateway: string }) {
  const words = useTexts().charging;
  const [editing, setEditing] = useState(false);
  const site = useQuery({
    queryKey: ["site charging", gateway],
    queryFn: () => data(api.GET("/api/v1/gateways/{gateway_id}/charging", { params: { path: { gateway_id: gateway } } })),
  });
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.title}>
      <Group justify="space-between" align="center" mb="xs">
        <Title order={2} size="h4">{words.title}</Title>
        {site.data && (
          <Button size="compact-sm" variant="light" onClick={() => setEditing(true)}>{site.data.set_up ? words.change : words.setUp}</Button>
        )}
      </Group>
      {site.isError && <Failed error={site.error} retry={() => void site.refetch()} />}
      {site.data && (site.data.set_up ? <Shown site={site.data} /> : <Text c="dimmed">{words.none}</Text>)}
      {site.data && (
        <Modal opened={editing} onClose={() => setEditing(false)} title={words.title} size="lg">
          <SiteChargingForm site={site.data} done={() => setEditing(false)} />
        </Modal>
      )}
    </Card>
  );
}

function Shown({ site }: { site: SiteCharging }) {
  const words = useTexts().charging;
  const carries = carriesFailSafe(draftOf(site));
  return (
    <Stack gap="xs">
      <Group gap="lg">
        <Fact label={words.fuse} value={`${site.fuse_a} A`} />
        <Fact label={words.failSafe} value={carries ? `${site.fail_safe_a} A` : words.pauses} />
        <Fact label={words.who} value={site.free_for_all ? words.everyone : words.tokensOnly(site.tokens.length)} />
      </Group>
      {!carries && <Alert color="yellow" p="xs">{words.failSafeTooMuch}</Alert>}
      <Table verticalSpacing={2} horizontalSpacing={6}>
        <Table.Thead>
          <Table.Tr><Table.Th>{words.chargePoint}</Table.Th><Table.Th>{words.atMost}</Table.Th><Table.Th>{words.password}</Table.Th></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {site.charge_points.map((point) => (
            <Table.Tr key={point.charge_point}>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{point.charge_point}</Table.Td>
              <Table.Td>{`${point.phases} × ${point.current_max_a} A`}</Table.Td>
              <Table.Td>{point.password_set ? words.passwordSet : <Badge color="orange" variant="light">{words.passwordNone}</Badge>}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {site.tokens.length > 0 && (
        <Table verticalSpacing={2} horizontalSpacing={6}>
          <Table.Thead>
            <Table.Tr><Table.Th>{words.token}</Table.Th><Table.Th>{words.idTag}</Table.Th><Table.Th /></Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {site.tokens.map((token) => (
              <Table.Tr key={token.name}>
                <Table.Td style={{ overflowWrap: "anywhere" }}>{token.name}</Table.Td>
                <Table.Td>{token.id_tag_masked}</Table.Td>
                <Table.Td>{token.blocked && <Badge color="red" variant="light">{words.blocked}</Badge>}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}

function Fact({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <Text size="xs" c="dimmed">{label}</Text>
      <Text size="sm" fw={600}>{value}</Text>
    </div>
  );
}
