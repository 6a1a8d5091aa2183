import { Badge, Button, Card, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, data, done, type Passkey } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { Failed, Refused } from "../Notice";
import { knowsPasskeys, makePasskey } from "../people/passkeys";
import { SESSION_KEY } from "../people/session";
import { shownTime } from "../reading/format";

const KEY = ["account", "passkeys"];

/** Passkeys: what signs in by a finger, a face or a PIN, without a password. */
export function PasskeysCard() {
  const words = useTexts().account;
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const passkeys = useQuery({ queryKey: KEY, queryFn: () => data(api.GET("/api/v1/account/passkeys")) });
  const settle = () => Promise.all([queries.invalidateQueries({ queryKey: KEY }), queries.invalidateQueries({ queryKey: SESSION_KEY })]);
  const make = useMutation({
    mutationFn: () => makePasskey(name.trim()),
    onSuccess: () => {
      setName("");
      return settle();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  const items = passkeys.data?.items ?? [];
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.passkeys}>
      <Title order={2} size="h4">{words.passkeys}</Title>
      <Text size="sm" c="dimmed" mb="xs">{words.passkeysText}</Text>
      {passkeys.isError && <Failed error={passkeys.error} retry={() => void passkeys.refetch()} />}
      <Stack gap="xs" component="ul" className="plain">
        {items.map((each) => <li key={each.id}><Row passkey={each} settle={settle} /></li>)}
      </Stack>
      {knowsPasskeys() ? (
        <form onSubmit={submit}>
          <Group gap="xs" align="flex-end" mt={items.length ? "sm" : 0}>
            <TextInput label={words.passkeyName} placeholder={words.passkeyExample} required maxLength={64} flex="1 1 12rem" maw={300} value={name} onChange={(event) => setName(event.currentTarget.value)} />
            <Button type="submit" disabled={!name.trim()} loading={make.isPending}>{words.makePasskey}</Button>
          </Group>
        </form>
      ) : (
        <Text size="sm">{words.noPasskeysHere}</Text>
      )}
      {make.isError && <Refused error={make.error} mt="xs" />}
    </Card>
  );
}

function Row({ passkey, settle }: { passkey: Passkey; settle: () => Promise<unknown> }) {
  const { language, texts } = useLanguage();
  const words = texts.account;
  const remove = useMutation({
    mutationFn: () => done(api.DELETE("/api/v1/account/passkeys/{passkey_id}", { params: { path: { passkey_id: passkey.id } } })),
    onSuccess: settle,
  });
  return (
    <>
      <Group justify="space-between" gap="4px 12px" wrap="nowrap" align="flex-start">
        <div style={{ minWidth: 0 }}>
          <Group gap={6}>
            <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>{passkey.name}</Text>
            {passkey.backed_up && <Badge variant="light" tt="none">{words.backedUp}</Badge>}
          </Group>
          <Text size="sm" c="dimmed">
            {words.madeAt(shownTime(passkey.created_ms, language))}{passkey.used_ms != null && ` · ${words.usedAt(shownTime(passkey.used_ms, language))}`}
          </Text>
        </div>
        <Button size="xs" variant="default" style={{ flexShrink: 0 }} loading={remove.isPending} onClick={() => remove.mutate()}>{words.removePasskey}</Button>
      </Group>
      {remove.isError && <Refused error={remove.error} />}
    </>
  );
}
