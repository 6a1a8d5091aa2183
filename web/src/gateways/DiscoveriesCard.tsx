import { Anchor, Button, Card, Group, Radio, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, data, type Discovery, type Proposal } from "../api/client";
import { useLanguage } from "../i18n/language";
import { Failed, Refused } from "../Notice";
import { shownAge, shownNumber, shownTime, shownValue } from "../reading/format";
import { useName, useVocabulary } from "../vocabulary/useVocabulary";

const SHOWN = 20;
const VALUES_SHOWN = 6;
const OTHER = "";

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
    mutationFn: (body: Adoption) =>
      data(api.POST("/api/v1/gateways/{gateway_id}/discoveries/adopt", { params: { path: { gateway_id: gateway } }, body })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["discoveries", gateway] }),
  });
  const dismiss = useMutation({
    mutationFn: (topic: string) =>
      data(api.POST("/api/v1/gateways/{gateway_id}/discoveries/dismiss", { params: { path: { gateway_id: gateway } }, body: { topic } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["discoveries", gateway] }),
  });
  const items = found.data?.items ?? [];
  const profiles = useQuery({
    queryKey: ["profiles", "all"],
    queryFn: () => data(api.GET("/api/v1/profiles", { params: { query: { limit: 1000 } } })),
    enabled: items.length > 0,
  });
  const ids = [...new Set(profiles.data?.items.map((each) => each.id))];
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
      {error && <Refused error={error} mb="xs" />}
      <Stack gap="md" component="ul" className="plain">
        {items.map((item) => (
          <li key={item.topic}>
            <Item
              item={item} profiles={ids} nowMs={nowMs} isBusy={adopt.isPending || dismiss.isPending}
              adopt={(body) => adopt.mutate({ topic: item.topic, ...body })}
              dismiss={() => dismiss.mutate(item.topic)}
            />
          </li>
        ))}
      </Stack>
      <DecidedTopics gateway={gateway} status="adopted" />
      <DecidedTopics gateway={gateway} status="dismissed" />
    </Card>
  );
}

/** Topics on which somebody has decided, and the way back. */
function DecidedTopics({ gateway, status }: { gateway: string; status: "adopted" | "dismissed" }) {
  const { texts } = useLanguage();
  const words = texts.discoveries;
  const client = useQueryClient();
  const path = { path: { gateway_id: gateway } };
  const decided = useQuery({
    queryKey: ["discoveries", gateway, status],
    queryFn: () => data(api.GET("/api/v1/gateways/{gateway_id}/discoveries", { params: { ...path, query: { status, limit: 256 } } })),
    refetchInterval: 15_000,
  });
  const release = useMutation({
    mutationFn: (topic: string) => data(api.POST("/api/v1/gateways/{gateway_id}/discoveries/release", { params: path, body: { topic } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["discoveries", gateway] }),
  });
  if (!decided.data?.items.length) return null;
  return (
    <>
      <Title order={3} size="h5" mt="md" mb={4}>{status === "adopted" ? words.bound : words.dismissed}</Title>
      {release.isError && <Refused error={release.error} mb="xs" />}
      <Stack gap={4} component="ul" className="plain">
        {decided.data.items.map((each) => (
          <Group key={each.topic} component="li" gap="xs" justify="space-between" wrap="nowrap">
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>
              {each.device_id ? <Anchor component={Link} to={`/devices/${each.device_id}`} inherit>{each.topic}</Anchor> : each.topic}
            </Text>
            <Button size="compact-sm" variant="default" disabled={release.isPending} onClick={() => release.mutate(each.topic)}>{words.release}</Button>
          </Group>
        ))}
      </Stack>
    </>
  );
}

interface Adoption {
  topic: string;
  profile: string;
  device: string;
  name: { zh: string; en: string } | null;
}

interface ItemProps {
  item: Discovery;
  profiles: string[];
  nowMs: number;
  isBusy: boolean;
  adopt: (body: Omit<Adoption, "topic">) => void;
  dismiss: () => void;
}

function Item({ item, profiles, nowMs, isBusy, adopt, dismiss }: ItemProps) {
  const { language, texts } = useLanguage();
  const words = texts.discoveries;
  const [chosen, choose] = useState<string | null>(null);
  const [device, call] = useState<string | null>(null);
  const [other, chooseOther] = useState<string | null>(null);
  const [zh, setZh] = useState("");
  const [en, setEn] = useState("");
  const picked = chosen ?? item.proposals[0]?.profile ?? OTHER;
  const profile = picked === OTHER ? other : picked;
  const id = (device ?? item.proposals.find((each) => each.profile === profile)?.device ?? item.topic.split("/").at(-1) ?? "").trim();
  const isMany = /[+#]/.test(item.topic);
  const submit = () => {
    const name = { zh: zh.trim() || en.trim(), en: en.trim() || zh.trim() };
    if (profile) adopt({ profile, device: id, name: name.en ? name : null });
  };
  return (
    <Stack gap={6}>
      <div>
        <Group justify="space-between" gap="0 8px" align="baseline">
          <Text fw={600} style={{ overflowWrap: "anywhere" }}>{item.topic}</Text>
          <Text size="xs" c="dimmed" component="time" title={shownTime(item.at_ms, language)} className="steady">{shownAge(nowMs - item.at_ms, texts)}</Text>
        </Group>
        <Text size="sm" c="dimmed">{words.counted(shownNumber(item.count, 0))}</Text>
      </div>
      {item.proposals.length === 0 && <Text size="sm">{words.noProfile}</Text>}
      <Radio.Group aria-label={words.profile} value={picked} onChange={choose}>
        <Stack gap={6}>
          {item.proposals.map((each) => (
            <Radio key={each.profile} value={each.profile} label={`${each.profile} · ${words.fits(shownNumber(100 * each.score, 0))}`} description={<Values proposal={each} />} />
          ))}
          {!isMany && <Radio value={OTHER} label={words.other} description={words.otherText} />}
        </Stack>
      </Radio.Group>
      {isMany && <Text size="sm">{words.many}</Text>}
      {!isMany && picked === OTHER && <Select size="sm" aria-label={words.profile} searchable data={profiles} value={other} onChange={chooseOther} />}
      {!isMany && (
        <Group gap="xs" grow preventGrowOverflow={false}>
          <TextInput size="sm" label={words.device} value={device ?? id} maxLength={128} onChange={(event) => call(event.currentTarget.value)} />
          <TextInput size="sm" label={words.nameZh} value={zh} maxLength={200} onChange={(event) => setZh(event.currentTarget.value)} />
          <TextInput size="sm" label={words.nameEn} value={en} maxLength={200} onChange={(event) => setEn(event.currentTarget.value)} />
        </Group>
      )}
      <Group gap="xs">
        {!isMany && <Button size="sm" disabled={isBusy || !profile || !id} onClick={submit}>{words.adopt}</Button>}
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
