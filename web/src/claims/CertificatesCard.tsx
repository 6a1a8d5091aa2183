import { Anchor, Badge, Button, Card, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, data, type Certificate } from "../api/client";
import { useLanguage } from "../i18n/language";
import { Failed, Refused } from "../Notice";
import { shownTime } from "../reading/format";

const SHOWN = 5;

/** By which certificates a gateway comes in; and to shut it out. */
export function CertificatesCard({ gateway, nowMs }: { gateway: string; nowMs: number }) {
  const { texts } = useLanguage();
  const words = texts.claims;
  const client = useQueryClient();
  const [asks, ask] = useState(false);
  const [reason, say] = useState("");
  const found = useQuery({
    queryKey: ["certificates", gateway],
    queryFn: () => data(api.GET("/api/v1/gateways/{gateway_id}/certificates", { params: { path: { gateway_id: gateway }, query: { limit: SHOWN } } })),
    refetchInterval: 10_000,
  });
  const revoke = useMutation({
    mutationFn: () => data(api.POST("/api/v1/gateways/{gateway_id}/revoke", { params: { path: { gateway_id: gateway } }, body: { reason: reason.trim() } })),
    onSuccess: () => {
      ask(false);
      say("");
      return client.invalidateQueries({ queryKey: ["certificates", gateway] });
    },
  });
  const items = found.data?.items ?? [];
  const holds = items.some((each) => each.revoked_ms == null && each.ends_ms > nowMs);
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.certificates}>
      <Title order={2} size="h4" mb="xs">{words.certificates}</Title>
      {found.isError && <Failed error={found.error} retry={() => void found.refetch()} />}
      {found.isSuccess && !holds && <Text size="sm" mb="xs">{items.length ? words.shutOut : words.neverIn} <Anchor component={Link} to="/claims">{words.new}</Anchor></Text>}
      <Stack gap="xs" component="ul" className="plain">
        {items.map((each) => <li key={each.serial}><Row certificate={each} nowMs={nowMs} /></li>)}
      </Stack>
      {holds && !asks && <Group mt="sm"><Button size="xs" variant="default" onClick={() => ask(true)}>{words.revoke}</Button></Group>}
      {asks && (
        <Stack gap="xs" mt="sm">
          <Text size="sm">{words.revokeText}</Text>
          <TextInput label={words.revokeReason} value={reason} maxLength={200} onChange={(event) => say(event.currentTarget.value)} />
          <Group gap="xs">
            <Button size="xs" color="red.8" disabled={!reason.trim()} loading={revoke.isPending} onClick={() => revoke.mutate()}>{words.revokeYes}</Button>
            <Button size="xs" variant="default" onClick={() => ask(false)}>{words.revokeNo}</Button>
          </Group>
        </Stack>
      )}
      {revoke.isSuccess && <Text size="sm" role="status" mt="xs">✓ {words.revoked(revoke.data.certificates)}</Text>}
      {revoke.isError && <Refused error={revoke.error} mt="xs" />}
    </Card>
  );
}

function Row({ certificate, nowMs }: { certificate: Certificate; nowMs: number }) {
  const { language, texts } = useLanguage();
  const words = texts.claims;
  const { revoked_ms, ends_ms, reason } = certificate;
  const [color, state] =
    revoked_ms != null ? (["gray.7", words.revokedState] as const) : ends_ms <= nowMs ? (["orange.9", words.endedState] as const) : (["green.9", words.holds] as const);
  return (
    <Group justify="space-between" gap="0 8px" align="flex-start" wrap="nowrap">
      <div style={{ minWidth: 0 }}>
        <Text size="sm" className="steady" title={certificate.serial}>…{certificate.serial.slice(-12)}</Text>
        <Text size="sm" c="dimmed">{words.issued(shownTime(certificate.issued_ms, language))} · {revoked_ms != null ? words.revokedAt(shownTime(revoked_ms, language)) : words.ends(shownTime(ends_ms, language))}</Text>
        {reason && <Text size="sm" style={{ overflowWrap: "anywhere" }}>{words.revokeReasons[reason] ?? reason}</Text>}
      </div>
      <Badge color={color} tt="none" style={{ flexShrink: 0 }}>{state}</Badge>
    </Group>
  );
}
