import { Badge, Button, Card, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, data, type Grant, type User } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { Failed, Loading, Refused } from "../Notice";
import { shownTime } from "../reading/format";
import { useTitle } from "../useTitle";
import { mayGive, rolesToGive, sameGrants } from "./grants";
import { GrantsField } from "./GrantsField";
import { Invite } from "./Invite";
import { Invitations } from "./Invitations";
import { useMe } from "./session";
import { useGrantLabel, USERS } from "./useNames";

/** Who can sign in and as what; and invitations for more. */
export function PeoplePage() {
  const texts = useTexts();
  const words = texts.peoplePage;
  const labelOf = useGrantLabel();
  const [search, setSearch] = useState("");
  const [isInviting, invite] = useState(false);
  const users = useQuery({ ...USERS, refetchInterval: 30_000 });
  useTitle(words.title);
  if (users.isPending) return <Loading />;
  if (users.isError) return <Failed error={users.error} retry={() => void users.refetch()} />;
  const wanted = search.trim().toLowerCase();
  const items = users.data.items
    .filter((user) => !wanted || [user.name, ...user.grants.map(labelOf)].some((text) => text.toLowerCase().includes(wanted)))
    .sort((a, b) => Number(a.disabled_ms != null) - Number(b.disabled_ms != null) || a.name.localeCompare(b.name));
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-start" gap="xs">
        <div style={{ flex: "1 1 16rem" }}>
          <Title order={1} size="h2">{words.title}</Title>
          <Text size="sm" c="dimmed">{words.text}</Text>
        </div>
        {!isInviting && <Button onClick={() => invite(true)}>{words.invite}</Button>}
      </Group>
      {isInviting && <Invite close={() => invite(false)} />}
      <section aria-label={words.users}>
        <Group justify="space-between" mb="xs" gap="xs">
          <Title order={2} size="h4">{words.users}</Title>
          <TextInput type="search" aria-label={words.search} placeholder={words.search} value={search} onChange={(event) => setSearch(event.currentTarget.value)} w={{ base: "100%", xs: 260 }} />
        </Group>
        {items.length === 0 && <Text c="dimmed">{words.nobody}</Text>}
        {users.data.next_cursor && <Text size="sm" className="doubt" mb="xs">{words.notAll(users.data.items.length)}</Text>}
        <Stack gap="xs" component="ul" className="plain">
          {items.map((user) => <li key={user.id}><Row user={user} /></li>)}
        </Stack>
      </section>
      <Invitations />
    </Stack>
  );
}

type Asking = "" | "roles" | "disable" | "end";

function Row({ user }: { user: User }) {
  const { texts, language } = useLanguage();
  const words = texts.peoplePage;
  const me = useMe();
  const client = useQueryClient();
  const labelOf = useGrantLabel();
  const [asking, ask] = useState<Asking>("");
  const change = useMutation({
    mutationFn: (body: { grants?: Grant[]; disabled?: boolean }) => data(api.PATCH("/api/v1/users/{user_id}", { params: { path: { user_id: user.id } }, body })),
    onSuccess: () => {
      ask("");
      return client.invalidateQueries({ queryKey: USERS.queryKey });
    },
  });
  const isMe = user.id === me?.user_id;
  const held = me?.grants ?? [];
  const mayChange = !isMe && user.grants.every((grant) => mayGive(held, grant));
  const mayAdd = !isMe && held.some((grant) => rolesToGive(held, grant.community_id).length > 0);
  const isDisabled = user.disabled_ms != null;
  return (
    <Card withBorder padding="sm" data-user={user.name}>
      <Group justify="space-between" gap="6px 12px" align="flex-start">
        <div style={{ minWidth: 0, flex: "1 1 16rem" }}>
          <Group gap={6}>
            <Text fw={600} style={{ overflowWrap: "anywhere" }}>{user.name}</Text>
            {isMe && <Badge variant="light" tt="none">{words.you}</Badge>}
            {isDisabled && <Badge color="gray.7" tt="none">{words.disabled}</Badge>}
            {user.authenticator && <Badge color="green.9" tt="none">{words.authenticator}</Badge>}
            {user.passkeys > 0 && <Badge color="green.9" tt="none">{words.passkeys(user.passkeys)}</Badge>}
          </Group>
          <Text size="sm">{user.grants.map(labelOf).join(texts.people.comma) || texts.people.noRole}</Text>
          <Text size="xs" c="dimmed">{isDisabled ? words.disabledAt(shownTime(user.disabled_ms ?? 0, language)) : words.since(shownTime(user.created_ms, language))}</Text>
        </div>
        {isMe && <Button size="xs" variant="default" component={Link} to="/account">{texts.account.title}</Button>}
        {!asking && (mayChange || mayAdd) && (
          <Group gap="xs">
            {mayAdd && !isDisabled && <Button size="xs" variant="default" onClick={() => ask("roles")}>{words.changeRoles}</Button>}
            {mayChange && !isDisabled && <Button size="xs" variant="default" onClick={() => ask("end")}>{words.endSessions}</Button>}
            {mayChange && !isDisabled && <Button size="xs" variant="default" onClick={() => ask("disable")}>{words.disable}</Button>}
            {mayChange && isDisabled && <Button size="xs" variant="default" loading={change.isPending} onClick={() => change.mutate({ disabled: false })}>{words.enable}</Button>}
          </Group>
        )}
      </Group>
      {asking === "roles" && <Roles user={user} busy={change.isPending} save={(grants) => change.mutate({ grants })} cancel={() => ask("")} />}
      {(asking === "disable" || asking === "end") && (
        <Stack gap="xs" mt="sm">
          <Text size="sm">{asking === "disable" ? words.disableText(user.name) : words.endText(user.name)}</Text>
          <Group gap="xs">
            <Button size="xs" color="red.8" loading={change.isPending} onClick={() => change.mutate(asking === "disable" ? { disabled: true } : {})}>
              {asking === "disable" ? words.disableYes : words.endYes}
            </Button>
            <Button size="xs" variant="default" onClick={() => ask("")}>{texts.cancel}</Button>
          </Group>
        </Stack>
      )}
      {change.isError && <Refused error={change.error} mt="xs" />}
      {change.isSuccess && !asking && <Text size="sm" role="status" mt="xs">✓ {words.changed}</Text>}
    </Card>
  );
}

function Roles({ user, busy, save, cancel }: { user: User; busy: boolean; save: (grants: Grant[]) => void; cancel: () => void }) {
  const texts = useTexts();
  const words = texts.peoplePage;
  const held = useMe()?.grants ?? [];
  const [grants, change] = useState(user.grants);
  return (
    <Stack gap="xs" mt="sm">
      <GrantsField label={words.rolesOf(user.name)} grants={grants} change={change} rolesFor={(community) => rolesToGive(held, community)} />
      <Text size="sm" c="dimmed">{words.rolesText}</Text>
      <Group gap="xs">
        <Button size="xs" disabled={sameGrants(grants, user.grants)} loading={busy} onClick={() => save(grants)}>{words.save}</Button>
        <Button size="xs" variant="default" onClick={cancel}>{texts.cancel}</Button>
      </Group>
    </Stack>
  );
}
