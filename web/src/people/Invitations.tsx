import { Badge, Button, Card, Group, Select, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Grant, type Invitation, type NewInvitation } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { Failed, Refused } from "../Notice";
import { shownTime } from "../reading/format";
import { Copied, ShownOnce } from "../ShownOnce";
import { rolesToGive } from "./grants";
import { GrantsField } from "./GrantsField";
import { useMe } from "./session";
import { useGrantLabel, usePersonName } from "./useNames";

const DAY_S = 86_400;
const DAYS = ["1", "3", "7", "30"];
const KEY = ["invitations"];
const RECENT = 5;

/** Make an invitation and show its code once; the open ones, and what became of the last others. */
export function Invitations() {
  const words = useTexts().peoplePage;
  const invitations = useQuery({
    queryKey: KEY,
    queryFn: () => data(api.GET("/api/v1/invitations", { params: { query: { limit: 100 } } })),
    refetchInterval: 10_000,
  });
  const items = invitations.data?.items ?? [];
  const open = items.filter((each) => each.state === "open");
  const past = items.filter((each) => each.state !== "open").slice(0, RECENT);
  return (
    <>
      <Invite />
      {invitations.isError && <Failed error={invitations.error} retry={() => void invitations.refetch()} />}
      {items.length > 0 && (
        <Card withBorder padding="sm" component="section" aria-label={words.invitations}>
          <Title order={2} size="h4" mb="xs">{words.invitations}</Title>
          {open.length === 0 && <Text size="sm" c="dimmed" mb="xs">{words.noneOpen}</Text>}
          <Stack gap="sm" component="ul" className="plain">
            {[...open, ...past].map((each) => <li key={each.id}><Row invitation={each} /></li>)}
          </Stack>
        </Card>
      )}
    </>
  );
}

function Invite() {
  const { texts, language } = useLanguage();
  const words = texts.peoplePage;
  const client = useQueryClient();
  const held = useMe()?.grants ?? [];
  const [grants, change] = useState<Grant[]>([]);
  const [days, choose] = useState("3");
  const [made, show] = useState<NewInvitation | null>(null);
  const invite = useMutation({
    mutationFn: () => data(api.POST("/api/v1/invitations", { body: { grants, valid_s: Number(days) * DAY_S } })),
    onSuccess: (invitation) => {
      show(invitation);
      change([]);
      return client.invalidateQueries({ queryKey: KEY });
    },
  });
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.invite}>
      <Title order={2} size="h4" mb="xs">{words.invite}</Title>
      <Stack gap="xs">
        <Text size="sm" c="dimmed">{words.inviteText}</Text>
        <GrantsField label={words.invitedAs} grants={grants} change={change} rolesFor={(community) => rolesToGive(held, community)} />
        <Group gap="xs" align="flex-end">
          <Select label={words.holds} w={150} allowDeselect={false} value={days} onChange={(value) => value && choose(value)} data={DAYS.map((value) => ({ value, label: words.days(Number(value)) }))} />
          <Button disabled={grants.length === 0} loading={invite.isPending} onClick={() => invite.mutate()}>{words.inviteDo}</Button>
        </Group>
      </Stack>
      {invite.isError && <Refused error={invite.error} mt="xs" />}
      {made && (
        <ShownOnce close={() => show(null)}>
          <Text size="sm">{words.passOn}</Text>
          <Copied label={words.link} text={`${window.location.origin}/invitation#${made.code}`} code="invitation" />
          <Copied label={words.codeAlone} text={made.code} />
          <Text size="sm">{texts.claims.until(shownTime(made.expires_ms, language))}</Text>
        </ShownOnce>
      )}
    </Card>
  );
}

const COLORS = { open: "blue", used: "green.9", withdrawn: "gray.7", expired: "gray.7" } as const;

function Row({ invitation }: { invitation: Invitation }) {
  const { texts, language } = useLanguage();
  const words = texts.peoplePage;
  const client = useQueryClient();
  const labelOf = useGrantLabel();
  const personName = usePersonName();
  const withdraw = useMutation({
    mutationFn: () => data(api.POST("/api/v1/invitations/{invitation_id}/withdraw", { params: { path: { invitation_id: invitation.id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
  const { state, user_id, issuer_id } = invitation;
  return (
    <>
      <Group justify="space-between" gap="4px 12px" align="flex-start">
        <div style={{ minWidth: 0 }}>
          <Text size="sm" fw={600}>{invitation.grants.map(labelOf).join(texts.people.comma)}</Text>
          <Text size="sm" c="dimmed">
            {issuer_id ? words.invitedBy(personName(issuer_id)) : words.firstOne}
            {state === "open" && ` · ${texts.claims.until(shownTime(invitation.expires_ms, language))}`}
            {user_id && ` · ${words.became(personName(user_id))}`}
          </Text>
        </div>
        <Group gap="xs">
          <Badge color={COLORS[state]} tt="none">{texts.claims.states[state]}</Badge>
          {state === "open" && <Button size="xs" variant="default" loading={withdraw.isPending} onClick={() => withdraw.mutate()}>{texts.claims.withdraw}</Button>}
        </Group>
      </Group>
      {withdraw.isError && <Refused error={withdraw.error} />}
    </>
  );
}
