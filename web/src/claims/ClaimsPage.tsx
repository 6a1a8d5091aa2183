import { Anchor, Badge, Breadcrumbs, Button, Card, Group, Select, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, data, type Claim, type NewClaim, type Refusal } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { useNow } from "../live/useLive";
import { Failed, Loading, Refused } from "../Notice";
import { usePersonName } from "../people/useNames";
import { shownAge, shownTime } from "../reading/format";
import { useTitle } from "../useTitle";
import { useName } from "../vocabulary/useVocabulary";
import { ShownClaim } from "./ShownClaim";

/** Claims: make one and show its code once, see what became of the others, and who has tried one in vain. */
export function ClaimsPage() {
  const texts = useTexts();
  const words = texts.claims;
  const nowMs = useNow(null);
  const claims = useQuery({
    queryKey: ["claims"],
    queryFn: () => data(api.GET("/api/v1/claims", { params: { query: { limit: 100 } } })),
    refetchInterval: 5_000,
  });
  const refused = useQuery({
    queryKey: ["claims", "refused"],
    queryFn: () => data(api.GET("/api/v1/claims/refused", { params: { query: { limit: 20 } } })),
    refetchInterval: 5_000,
  });
  useTitle(words.title);
  if (claims.isPending) return <Loading />;
  if (claims.isError) return <Failed error={claims.error} retry={() => void claims.refetch()} />;
  const tried = refused.data?.items ?? [];
  return (
    <Stack gap="md">
      <div>
        <Breadcrumbs><Anchor component={Link} to="/gateways" size="sm">{texts.gateways.title}</Anchor></Breadcrumbs>
        <Title order={1} size="h2">{words.title}</Title>
        <Text size="sm" c="dimmed">{words.text}</Text>
      </div>
      <Create />
      {tried.length > 0 && (
        <Card withBorder padding="sm" component="section" aria-label={words.refusedTitle} style={{ borderColor: "var(--mantine-color-orange-6)" }}>
          <Title order={2} size="h4" mb="xs">⚠ {words.refusedTitle}</Title>
          <Text size="sm" c="dimmed" mb="xs">{words.refusedText}</Text>
          <Stack gap={6} component="ul" className="plain">
            {tried.map((each) => <li key={each.id}><Tried refusal={each} nowMs={nowMs} /></li>)}
          </Stack>
        </Card>
      )}
      <section aria-label={words.all}>
        <Title order={2} size="h4" mb="xs">{words.all}</Title>
        {claims.data.items.length === 0 && <Text c="dimmed">{words.none}</Text>}
        <Stack gap="xs" component="ul" className="plain">
          {claims.data.items.map((claim) => <li key={claim.id}><Row claim={claim} nowMs={nowMs} /></li>)}
        </Stack>
      </section>
    </Stack>
  );
}

function Create() {
  const words = useTexts().claims;
  const name = useName();
  const client = useQueryClient();
  const [gateway, choose] = useState<string | null>(null);
  const [made, show] = useState<NewClaim | null>(null);
  const gateways = useQuery({
    queryKey: ["gateways", ""],
    queryFn: () => data(api.GET("/api/v1/gateways", { params: { query: { limit: 1000 } } })),
  });
  const create = useMutation({
    mutationFn: (id: string) => data(api.POST("/api/v1/claims", { body: { gateway_id: id, valid_s: 86_400 } })),
    onSuccess: (claim) => {
      show(claim);
      return client.invalidateQueries({ queryKey: ["claims"] });
    },
  });
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.new}>
      <Title order={2} size="h4" mb="xs">{words.new}</Title>
      <Group gap="xs" align="flex-end">
        <Select
          label={words.gateway} value={gateway} onChange={choose} searchable nothingFoundMessage={words.noGateway} style={{ flex: "1 1 14rem" }}
          data={gateways.data?.items.map((each) => ({ value: each.id, label: `${name(each.name)} · ${each.id}` })) ?? []}
        />
        <Button disabled={!gateway} loading={create.isPending} onClick={() => gateway && create.mutate(gateway)}>{words.make}</Button>
      </Group>
      {create.isError && <Refused error={create.error} mt="xs" />}
      {made && <ShownClaim claim={made} close={() => show(null)} />}
    </Card>
  );
}

const COLORS = { open: "blue.8", used: "green.9", withdrawn: "gray.7", expired: "gray.7" } as const;

function Row({ claim, nowMs }: { claim: Claim; nowMs: number }) {
  const { language, texts } = useLanguage();
  const words = texts.claims;
  const client = useQueryClient();
  const personName = usePersonName();
  const withdraw = useMutation({
    mutationFn: () => data(api.POST("/api/v1/claims/{claim_id}/withdraw", { params: { path: { claim_id: claim.id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["claims"] }),
  });
  return (
    <Card withBorder padding="sm">
      <Group justify="space-between" gap="4px 12px" align="flex-start">
        <div style={{ minWidth: 0 }}>
          <Anchor component={Link} to={`/gateways/${claim.gateway_id}`} fw={600} style={{ overflowWrap: "anywhere" }}>{claim.gateway_id}</Anchor>
          <Text size="sm" c="dimmed" title={shownTime(claim.created_ms, language)}>{words.madeBy(personName(claim.issuer), shownAge(nowMs - claim.created_ms, texts))}</Text>
          {claim.state === "open" && <Text size="sm">{words.until(shownTime(claim.expires_ms, language))}</Text>}
          {claim.used_ms != null && <Text size="sm">{words.usedAt(shownTime(claim.used_ms, language))}</Text>}
          {claim.refused > 0 && <Text size="sm">⚠ {words.refusedTimes(claim.refused)}</Text>}
        </div>
        <Group gap="xs">
          <Badge color={COLORS[claim.state]} tt="none">{words.states[claim.state]}</Badge>
          {claim.state === "open" && <Button size="xs" variant="default" loading={withdraw.isPending} onClick={() => withdraw.mutate()}>{words.withdraw}</Button>}
        </Group>
      </Group>
      {withdraw.isError && <Refused error={withdraw.error} />}
    </Card>
  );
}

function Tried({ refusal, nowMs }: { refusal: Refusal; nowMs: number }) {
  const { language, texts } = useLanguage();
  const words = texts.claims;
  return (
    <Group justify="space-between" gap="0 8px" align="baseline">
      <Text size="sm" style={{ overflowWrap: "anywhere" }}>
        {words.reasons[refusal.reason] ?? refusal.reason}
        {refusal.gateway_id && <> · <Anchor component={Link} to={`/gateways/${refusal.gateway_id}`}>{refusal.gateway_id}</Anchor></>}
        {refusal.address && ` · ${words.from(refusal.address)}`}
      </Text>
      <Text size="xs" c="dimmed" component="time" title={shownTime(refusal.at_ms, language)} className="steady">{shownAge(nowMs - refusal.at_ms, texts)}</Text>
    </Group>
  );
}
