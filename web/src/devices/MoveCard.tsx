import { Anchor, Button, Card, Checkbox, Group, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, data, type Device } from "../api/client";
import { useLanguage } from "../i18n/language";
import { Refused } from "../Notice";
import { shownTime } from "../reading/format";
import { useName } from "../vocabulary/useVocabulary";

/** Where a device was, and its move to another gateway of its community. */
export function MoveCard({ device }: { device: Device }) {
  const { language, texts } = useLanguage();
  const words = texts.moving;
  const name = useName();
  const client = useQueryClient();
  const [isOpen, open] = useState(false);
  const [gateway, choose] = useState<string | null>(null);
  const [externalId, call] = useState(device.external_id);
  const [movedAt, setMovedAt] = useState("");
  const [replace, setReplace] = useState(false);
  const path = { path: { device_id: device.id } };
  const sources = useQuery({
    queryKey: ["sources", device.id],
    queryFn: () => data(api.GET("/api/v1/devices/{device_id}/sources", { params: path })),
  });
  const gateways = useQuery({
    queryKey: ["gateways", device.community_id],
    queryFn: () => data(api.GET("/api/v1/gateways", { params: { query: { community: device.community_id, limit: 1000 } } })),
    enabled: isOpen,
  });
  const move = useMutation({
    mutationFn: (to: string) =>
      data(
        api.POST("/api/v1/devices/{device_id}/move", {
          params: path,
          body: { gateway_id: to, external_id: externalId.trim(), replace, at_ms: movedAt ? new Date(movedAt).getTime() : null },
        }),
      ),
    onSuccess: (moved) => {
      client.setQueryData(["device", device.id], moved);
      void client.invalidateQueries({ queryKey: ["sources", device.id] });
      open(false);
    },
  });
  const former = sources.data?.items.slice(0, -1) ?? [];
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.title}>
      <Group justify="space-between" gap="xs">
        <Title order={2} size="h4">{words.title}</Title>
        {!isOpen && <Button size="xs" variant="default" onClick={() => open(true)}>{words.move}</Button>}
      </Group>
      {move.isSuccess && !isOpen && <Text size="sm" role="status" mt="xs">✓ {words.moved}</Text>}
      {former.length > 0 && (
        <Stack gap={2} mt="xs" component="ul" className="plain">
          {former.map((each) => (
            <Text key={each.to_ms} size="sm" component="li" style={{ overflowWrap: "anywhere" }}>
              {words.until(shownTime(each.to_ms ?? 0, language))} <Anchor component={Link} to={`/gateways/${each.gateway_id}`} inherit>{each.gateway_id}</Anchor> · {each.external_id}
            </Text>
          ))}
        </Stack>
      )}
      {isOpen && (
        <Stack gap="xs" mt="xs">
          <Text size="sm" c="dimmed">{words.text}</Text>
          <Select
            size="sm" label={texts.gateway} value={gateway} onChange={choose} allowDeselect={false}
            data={(gateways.data?.items ?? []).map((each) => ({ value: each.id, label: `${name(each.name)} · ${each.id}` }))}
          />
          <Group gap="xs" grow preventGrowOverflow={false}>
            <TextInput size="sm" label={words.externalId} value={externalId} maxLength={128} onChange={(event) => call(event.currentTarget.value)} />
            <TextInput size="sm" type="datetime-local" label={words.at} value={movedAt} onChange={(event) => setMovedAt(event.currentTarget.value)} />
          </Group>
          <Checkbox size="sm" label={words.replace} checked={replace} onChange={(event) => setReplace(event.currentTarget.checked)} />
          {move.isError && <Refused error={move.error} />}
          <Group gap="xs">
            <Button size="sm" disabled={!gateway || !externalId.trim() || move.isPending} onClick={() => gateway && move.mutate(gateway)}>{words.move}</Button>
            <Button size="sm" variant="default" disabled={move.isPending} onClick={() => open(false)}>{words.cancel}</Button>
          </Group>
        </Stack>
      )}
    </Card>
  );
}
