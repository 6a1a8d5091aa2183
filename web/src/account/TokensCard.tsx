import { Badge, Button, Card, Group, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, data, type Grant, type NewToken, type Session, type Token } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { useNow } from "../live/useLive";
import { Failed, Refused } from "../Notice";
import { rolesOfToken } from "../people/grants";
import { GrantsField } from "../people/GrantsField";
import { useGrantLabel, usePersonName } from "../people/useNames";
import { shownTime } from "../reading/format";
import { Copied, ShownOnce } from "../ShownOnce";

const DAY_S = 86_400;
const DAYS = ["7", "30", "90", "365"];
const KEY = ["tokens"];

/** Tokens with which machines speak for whoever made them; an administrator of everything sees those of all. */
export function TokensCard({ session }: { session: Session }) {
  const words = useTexts().account;
  const nowMs = useNow(null, 30_000);
  const [isMaking, setMaking] = useState(false);
  const [made, show] = useState<NewToken | null>(null);
  const tokens = useQuery({ queryKey: KEY, queryFn: () => data(api.GET("/api/v1/tokens", { params: { query: { limit: 200 } } })) });
  const good = (tokens.data?.items ?? []).filter((each) => each.revoked_ms == null && each.expires_ms > nowMs);
  const items = [...good].sort((a, b) => Number(b.user_id === session.user_id) - Number(a.user_id === session.user_id));
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.tokens}>
      <Title order={2} size="h4">{words.tokens}</Title>
      <Text size="sm" c="dimmed" mb="xs">{words.tokensText}</Text>
      {tokens.isError && <Failed error={tokens.error} retry={() => void tokens.refetch()} />}
      {tokens.isSuccess && items.length === 0 && <Text size="sm" c="dimmed" mb="xs">{words.noTokens}</Text>}
      <Stack gap="sm" component="ul" className="plain">
        {items.map((each) => <li key={each.id}><Row token={each} isMine={each.user_id === session.user_id} /></li>)}
      </Stack>
      {!isMaking && <Group mt="sm"><Button size="sm" variant="default" onClick={() => { show(null); setMaking(true); }}>{words.newToken}</Button></Group>}
      {isMaking && <NewTokenForm session={session} close={() => setMaking(false)} made={show} />}
      {made && (
        <ShownOnce close={() => show(null)}>
          <Text fw={600}>{made.name}</Text>
          <Copied text={made.secret} code="token" />
          <Text size="sm">{words.tokenUse}</Text>
        </ShownOnce>
      )}
    </Card>
  );
}

function NewTokenForm({ session, close, made }: { session: Session; close: () => void; made: (token: NewToken) => void }) {
  const texts = useTexts();
  const words = texts.account;
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [days, choose] = useState("90");
  const [grants, change] = useState<Grant[]>([]);
  const create = useMutation({
    mutationFn: () => data(api.POST("/api/v1/tokens", { body: { name: name.trim(), grants, valid_s: Number(days) * DAY_S } })),
    onSuccess: (token) => {
      made(token);
      close();
      return client.invalidateQueries({ queryKey: KEY });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="xs" mt="sm">
        <Group gap="xs" align="flex-end">
          <TextInput label={words.tokenName} placeholder="meter-export" required maxLength={64} flex="1 1 12rem" value={name} onChange={(event) => setName(event.currentTarget.value)} />
          <Select label={texts.peoplePage.holds} w={150} allowDeselect={false} value={days} onChange={(value) => value && choose(value)} data={DAYS.map((value) => ({ value, label: texts.peoplePage.days(Number(value)) }))} />
        </Group>
        <GrantsField label={words.tokenGrants} grants={grants} change={change} rolesFor={(community) => rolesOfToken(session.grants, community)} />
        {create.isError && <Refused error={create.error} />}
        <Group gap="xs">
          <Button size="sm" type="submit" disabled={!name.trim() || grants.length === 0} loading={create.isPending}>{words.makeToken}</Button>
          <Button size="sm" variant="default" onClick={close}>{texts.cancel}</Button>
        </Group>
      </Stack>
    </form>
  );
}

function Row({ token, isMine }: { token: Token; isMine: boolean }) {
  const { language, texts } = useLanguage();
  const words = texts.account;
  const client = useQueryClient();
  const labelOf = useGrantLabel();
  const personName = usePersonName();
  const revoke = useMutation({
    mutationFn: () => data(api.POST("/api/v1/tokens/{token_id}/revoke", { params: { path: { token_id: token.id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: KEY }),
  });
  return (
    <>
      <Group justify="space-between" gap="4px 12px" align="flex-start">
        <div style={{ minWidth: 0 }}>
          <Group gap={6}>
            <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>{token.name}</Text>
            {!isMine && <Badge variant="light" tt="none">{words.tokenOf(personName(token.user_id))}</Badge>}
          </Group>
          <Text size="sm">{token.grants.map(labelOf).join(texts.people.comma)}</Text>
          <Text size="sm" c="dimmed">{texts.claims.until(shownTime(token.expires_ms, language))}</Text>
        </div>
        <Button size="xs" variant="default" loading={revoke.isPending} onClick={() => revoke.mutate()}>{words.revoke}</Button>
      </Group>
      {revoke.isError && <Refused error={revoke.error} />}
    </>
  );
}
