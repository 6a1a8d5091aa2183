import { Anchor, Badge, Button, Card, Group, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, data, type Approval } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { useNow } from "../live/useLive";
import { Failed, Loading, Refused } from "../Notice";
import { useMe } from "../people/session";
import { useCommunities } from "../people/useNames";
import { shownAge, shownDuration, shownTime } from "../reading/format";
import { useTitle } from "../useTitle";
import { useName, useVocabulary } from "../vocabulary/useVocabulary";
import { askedBy, decided, orderOf, receiversOf, waitingFor } from "./present";
import { APPROVALS, useApprovals } from "./useApprovals";

const DECIDED_SHOWN = 20;

/** What takes two people: what waits for whoever looks, what he has asked for, and what became of the rest. */
export function ApprovalsPage() {
  const words = useTexts().approvals;
  const me = useMe()?.user_id ?? "";
  const nowMs = useNow(null, 1000);
  const approvals = useApprovals();
  useTitle(words.title);
  if (approvals.isPending) return <Loading />;
  if (approvals.isError) return <Failed error={approvals.error} retry={() => void approvals.refetch()} />;
  const items = approvals.data.items;
  return (
    <Stack gap="md">
      <div>
        <Title order={1} size="h2">{words.title}</Title>
        <Text size="sm" c="dimmed">{words.text}</Text>
      </div>
      <List title={words.waiting} none={words.nothingWaits} items={waitingFor(items, me)} nowMs={nowMs} />
      <List title={words.asked} none={words.nothingAsked} items={askedBy(items, me)} nowMs={nowMs} />
      <List title={words.decided} none={words.nothingDecided} items={decided(items, me).slice(0, DECIDED_SHOWN)} nowMs={nowMs} />
    </Stack>
  );
}

function List({ title, none, items, nowMs }: { title: string; none: string; items: Approval[]; nowMs: number }) {
  return (
    <section aria-label={title}>
      <Title order={2} size="h4" mb="xs">{title}</Title>
      {items.length === 0 && <Text c="dimmed">{none}</Text>}
      <Stack gap="xs" component="ul" className="plain">
        {items.map((each) => <li key={each.id}><Row approval={each} nowMs={nowMs} /></li>)}
      </Stack>
    </section>
  );
}

const COLORS = { waiting: "blue.8", approved: "green.9", used: "green.9", refused: "red.8", expired: "gray.7" } as const;

function Row({ approval, nowMs }: { approval: Approval; nowMs: number }) {
  const { language, texts } = useLanguage();
  const words = texts.approvals;
  const me = useMe()?.user_id;
  const client = useQueryClient();
  const path = { params: { path: { approval_id: approval.id } } };
  const decide = useMutation({
    mutationFn: (allow: boolean) => data(allow ? api.POST("/api/v1/approvals/{approval_id}/approve", path) : api.POST("/api/v1/approvals/{approval_id}/refuse", path)),
    onSettled: () => client.invalidateQueries({ queryKey: APPROVALS }),
  });
  const { state, expires_ms, asked_by, asked_by_name, decided_by, decided_by_name, decided_ms, created_ms } = approval;
  const isOpen = state === "waiting" || state === "approved";
  return (
    <Card withBorder padding="sm" data-approval={state}>
      <Group justify="space-between" gap="6px 12px" align="flex-start">
        <div style={{ minWidth: 0, flex: "1 1 16rem" }}>
          <Subject approval={approval} />
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>{words.because(approval.reason)}</Text>
          <Text size="sm" c="dimmed" title={shownTime(created_ms, language)}>{words.askedBy(asked_by === me ? words.you : asked_by_name || asked_by, shownAge(nowMs - created_ms, texts))}</Text>
          {isOpen && <Text size="sm">{words.left(shownDuration(Math.max(0, expires_ms - nowMs), texts))}</Text>}
          {decided_ms != null && (
            <Text size="sm" c="dimmed">{(state === "refused" ? words.refusedBy : words.allowedBy)(decided_by === me ? words.you : decided_by_name || decided_by)} · {shownTime(decided_ms, language)}</Text>
          )}
        </div>
        <Group gap="xs">
          <Badge color={COLORS[state]} tt="none">{words.states[state]}</Badge>
          {state === "waiting" && asked_by !== me && (
            <>
              <Button size="xs" loading={decide.isPending && decide.variables} disabled={decide.isPending} onClick={() => decide.mutate(true)}>{words.approve}</Button>
              <Button size="xs" variant="default" loading={decide.isPending && !decide.variables} disabled={decide.isPending} onClick={() => decide.mutate(false)}>{words.refuse}</Button>
            </>
          )}
          {state === "approved" && asked_by === me && (
            <Button size="xs" component={Link} to={approval.action === "command" ? `/devices/${approval.target}` : "/profiles"}>{words.goThere}</Button>
          )}
        </Group>
      </Group>
      {decide.isError && <Refused error={decide.error} mt="xs" />}
    </Card>
  );
}

/** What may be done, exactly. */
function Subject({ approval }: { approval: Approval }) {
  return approval.action === "command" ? <Order approval={approval} /> : <Push approval={approval} />;
}

function Order({ approval }: { approval: Approval }) {
  const vocabulary = useVocabulary();
  const name = useName();
  const { verb, args } = orderOf(approval);
  const device = useQuery({
    queryKey: ["device", approval.target],
    queryFn: () => data(api.GET("/api/v1/devices/{device_id}", { params: { path: { device_id: approval.target } } })),
  });
  const values = Object.values(args).join(", ");
  return (
    <Text fw={600} style={{ overflowWrap: "anywhere" }}>
      {vocabulary.label(verb)}{values && ` (${values})`} · <Anchor component={Link} to={`/devices/${approval.target}`} inherit>{device.data ? name(device.data.name) : approval.target}</Anchor>
    </Text>
  );
}

function Push({ approval }: { approval: Approval }) {
  const words = useTexts().approvals;
  const { nameOf } = useCommunities();
  const { community, gateways } = receiversOf(approval);
  const to = [...(community ? [nameOf(community)] : []), ...gateways].join(", ");
  return <Text fw={600} style={{ overflowWrap: "anywhere" }}>{words.push(approval.target, to)}</Text>;
}
