import { Anchor, Button, Card, Group, Radio, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, data, type Discovery, type Proposal } from "../api/client";
import { useLanguage } from "../i18n/language";
import { Failed } from "../Notice";
import { shownAge, shownNumber, shownTime, shownValue } from "../reading/format";
import { useName, useVocabulary } from "../vocabulary/useVocabulary";

const SHOWN = 20;
const VALUES_SHOWN = 6;

/** Topics that no profile reads, with what could read them: adopt one as a device, or do not show it any more. */
export function DiscoveriesCard({ gateway, nowMs }: { gateway: string; nowMs: number }) {
  const { texts } = useLanguage();
  const words = texts.discoveries;
  const name = useName();
  const client = useQueryClient();
  const found = useQuery({
    queryKey: ["discoveries", gateway],
    queryFn: () => data(api.GET("/api/v1/gateways/{gateway_id}/discoveries", { params: { path: { gateway_id: gateway }, query: { limit: SHOWN } } })),
    refetchInterval: 15_000,
  });
  const adopt = useMutation({
    mutationFn: (body: { topic: string; profile: string; device: string; name: { zh: string; en: string } | null }) =>
      data(api.POST("/api/v1/gateways/{gateway_id}/discoveries/adopt", { params: { path: { gateway_id: gateway } }, body })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["discoveries", gateway] }),
  });
  const dismiss = useMutation({
    mutationFn: (topic: string) =>
      data(api.POST("/api/v1/gateways/{gateway_id}/discoveries/dismiss", { params: { path: { gateway_id: gateway } }, body: { topic } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["discoveries", gateway] }),
  });
  const items = found.data?.items ?? [];
  const error = adopt.error ?? dismiss.error;
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.title}>
      <Title order={2} size="h4" mb="xs">{words.title}</Title>
      {found.isError && <Failed error={found.error} retry={() => void found.refetch()} />}
      {found.isSuccess && items.length === 0 && <Text c="dimmed">{words.none}</Text>}
      {items.length > 0 && <Text size="sm" c="dimmed" mb="xs">{words.text}</Text>}
      {adopt.isSuccess && (
        <Text size="sm" role="status" mb="xs">✓ {words.adopted} <Anchor component={Link} to={`/devices/${adopt.data.id}`}>{name(adopt.data.name)}</Anchor></Text>
      )}
      {error && <Text size="sm" role="alert" mb="xs">⚠ {error.message}</Text>}
      <Stack gap="md" component="ul" className="plain">
        {items.map((item) => (
          <li key={item.topic}>
            <Item
              item={item} nowMs={nowMs} isBusy={adopt.isPending || dismiss.isPending}
              adopt={(profile, device, given) => adopt.mutate({ topic: item.topic, profile, device, name: given ? { zh: given, en: given } : null })}
              dismiss={() => dismiss.mutate(item.topic)}
            />
          </li>
        ))}
      </Stack>
    </Card>
  );
}

interface ItemProps {
  item: Discovery;
  nowMs: number;
  isBusy: boolean;
  adopt: (profile: string, device: string, name: string) => void;
  dismiss: () => void;
}

function Item({ item, nowMs, isBusy, adopt, dismiss }: ItemProps) {
  const { language, texts } = useLanguage();
  const words = texts.discoveries;
  const [chosen, choose] = useState<string | null>(null);
  const [device, call] = useState<string | null>(null);
  const [given, name] = useState("");
  const proposal = item.proposals.find((each) => each.profile === chosen) ?? item.proposals[0];
  const isMany = /[+#]/.test(item.topic);
  return (
    <Stack gap={6}>
      <div>
        <Group justify="space-between" gap="0 8px" align="baseline">
          <Text fw={600} style={{ overflowWrap: "anywhere" }}>{item.topic}</Text>
          <Text size="xs" c="dimmed" component="time" title={shownTime(item.at_ms, language)} className="steady">{shownAge(nowMs - item.at_ms, texts)}</Text>
        </Group>
        <Text size="sm" c="dimmed">{words.counted(shownNumber(item.count, 0))}</Text>
      </div>
      {!proposal && <Text size="sm">{words.noProfile}</Text>}
      {proposal && (
        <Radio.Group aria-label={words.profile} value={proposal.profile} onChange={choose}>
          <Stack gap={6}>
            {item.proposals.map((each) => (
              <Radio key={each.profile} value={each.profile} label={`${each.profile} · ${words.fits(shownNumber(100 * each.score, 0))}`} description={<Values proposal={each} />} />
            ))}
          </Stack>
        </Radio.Group>
      )}
      {proposal && isMany && <Text size="sm">{words.many}</Text>}
      {proposal && !isMany && (
        <Group gap="xs" grow preventGrowOverflow={false}>
          <TextInput size="sm" label={words.device} value={device ?? proposal.device} maxLength={128} onChange={(event) => call(event.currentTarget.value)} />
          <TextInput size="sm" label={words.name} value={given} maxLength={200} onChange={(event) => name(event.currentTarget.value)} />
        </Group>
      )}
      <Group gap="xs">
        {proposal && !isMany && (
          <Button size="sm" disabled={isBusy || !(device ?? proposal.device).trim()} onClick={() => adopt(proposal.profile, (device ?? proposal.device).trim(), given.trim())}>{words.adopt}</Button>
        )}
        <Button size="sm" variant="default" disabled={isBusy} onClick={dismiss}>{words.dismiss}</Button>
      </Group>
    </Stack>
  );
}

/** What the profile would read, so that a person can judge it. */
function Values({ proposal }: { proposal: Proposal }) {
  const { texts } = useLanguage();
  const vocabulary = useVocabulary();
  const values = Object.entries(proposal.values);
  const shown = values.slice(0, VALUES_SHOWN).map(([metric, value]) => `${vocabulary.label(metric)} ${shownValue(value, vocabulary.metric(metric), texts)}`);
  const more = values.length - shown.length;
  return <>{[...shown, ...(more > 0 ? [texts.discoveries.more(more)] : [])].join(" · ")}</>;
}
