import { Anchor, Badge, Button, Card, Code, Group, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type AuditEntry } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { Failed, Loading } from "../Notice";
import { useCommunities, usePersonName } from "../people/useNames";
import { shownTime } from "../reading/format";
import { useTitle } from "../useTitle";

const PAGE = 50;
const OUTCOMES = ["done", "refused", "failed"] as const;
type Outcome = (typeof OUTCOMES)[number];

/** Who asked for what, newest first; and the whole of it to take away, with how to check it. */
export function AuditPage() {
  const { texts } = useLanguage();
  const words = texts.audit;
  const { items: communities } = useCommunities();
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [community, setCommunity] = useState<string | null>(null);
  const [action, setAction] = useState<string | null>(null);
  const [actor, setActor] = useState("");
  const [since, setSince] = useState("");
  const [who] = useDebouncedValue(actor.trim(), 300);
  const query = {
    limit: PAGE,
    actor: who,
    action: action ?? "",
    community: community ?? "",
    ...(outcome && { outcome }),
    ...(since && { start_ms: new Date(since).getTime() }),
  };
  const entries = useInfiniteQuery({
    queryKey: ["audit", query],
    queryFn: ({ pageParam }) => data(api.GET("/api/v1/audit", { params: { query: { ...query, cursor: pageParam } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor || undefined,
  });
  useTitle(words.title);
  const items = entries.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Stack gap="md">
      <div>
        <Title order={1} size="h2">{words.title}</Title>
        <Text size="sm" c="dimmed">{words.text}</Text>
      </div>
      <TakeAway />
      <section aria-label={words.entries}>
        <Title order={2} size="h4" mb="xs">{words.entries}</Title>
        <Group gap="xs" mb="sm" align="flex-end">
          <Select size="sm" label={words.action} searchable clearable value={action} onChange={setAction} data={Object.entries(words.actions).map(([value, label]) => ({ value, label }))} flex="1 1 12rem" />
          <Select size="sm" label={words.outcome} clearable value={outcome} onChange={setOutcome} data={OUTCOMES.map((value) => ({ value, label: words.outcomes[value] }))} flex="1 1 8rem" />
          <Select size="sm" label={texts.peoplePage.community} clearable value={community} onChange={setCommunity} data={communities.map((each) => ({ value: each.id, label: each.name }))} flex="1 1 10rem" />
          <TextInput size="sm" label={words.actor} placeholder="user-…" value={actor} onChange={(event) => setActor(event.currentTarget.value)} flex="1 1 10rem" />
          <TextInput size="sm" label={words.since} type="datetime-local" value={since} onChange={(event) => setSince(event.currentTarget.value)} flex="1 1 12rem" />
        </Group>
        {entries.isPending && <Loading />}
        {entries.isError && <Failed error={entries.error} retry={() => void entries.refetch()} />}
        {entries.isSuccess && items.length === 0 && <Text c="dimmed">{words.none}</Text>}
        <Stack gap={6} component="ul" className="plain">
          {items.map((entry) => <li key={entry.seq}><Row entry={entry} choose={setActor} /></li>)}
        </Stack>
        {entries.hasNextPage && <Button mt="sm" variant="default" loading={entries.isFetchingNextPage} onClick={() => void entries.fetchNextPage()}>{words.more}</Button>}
      </section>
    </Stack>
  );
}

function TakeAway() {
  const words = useTexts().audit;
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.takeAway}>
      <Title order={2} size="h4" mb={4}>{words.takeAway}</Title>
      <Text size="sm" c="dimmed" mb="xs">{words.takeAwayText}</Text>
      <Group gap="xs" mb="sm">
        <Button size="xs" component="a" href="/api/v1/audit/export" download="audit.jsonl">{words.download}</Button>
        <Button size="xs" variant="default" component="a" href="/api/v1/audit/checkpoints" download="checkpoints.json">{words.checkpoints}</Button>
        <Button size="xs" variant="default" component="a" href="/api/v1/audit/key" download="profile_key.pem">{words.key}</Button>
      </Group>
      <Text size="sm">{words.verify}</Text>
      <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>cloud-api audit verify audit.jsonl --key profile_key.pem --checkpoint checkpoints.json</Code>
    </Card>
  );
}

const COLORS: Record<string, string> = { done: "green.9", refused: "orange.9", failed: "red.8" };

function Row({ entry, choose }: { entry: AuditEntry; choose: (actor: string) => void }) {
  const { texts, language } = useLanguage();
  const words = texts.audit;
  const personName = usePersonName();
  const { problem, user } = entry.details as { problem?: string; user?: string };
  const isNobody = entry.actor === "nobody" || !entry.actor;
  return (
    <Card withBorder padding="xs">
      <Group justify="space-between" gap="0 12px" align="baseline">
        <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>{words.actions[entry.action] ?? entry.action}</Text>
        <Group gap="xs">
          <Badge color={COLORS[entry.outcome] ?? "gray.7"} tt="none" size="sm">{words.outcomes[entry.outcome as Outcome] ?? entry.outcome}</Badge>
          <Text size="xs" c="dimmed" component="time" className="steady">{shownTime(entry.at_ms, language)}</Text>
        </Group>
      </Group>
      <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {isNobody ? (user ? personName(user) : words.nobody) : <Anchor component="button" type="button" inherit title={entry.actor} onClick={() => choose(entry.actor)}>{personName(entry.actor)}</Anchor>} · {entry.target}
        {problem && ` · ${problem}`}
      </Text>
      <details>
        <Text component="summary" size="xs" c="dimmed" style={{ cursor: "pointer" }}>#{entry.seq} · {words.details}</Text>
        <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{JSON.stringify({ ...entry.details, hash: entry.hash }, null, 1)}</Code>
      </details>
    </Card>
  );
}
