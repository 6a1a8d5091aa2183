import { Alert, Badge, Button, Card, Group, Stack, Text, Textarea, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, data, type ProfileVersion } from "../api/client";
import { useTexts } from "../i18n/language";
import { Failed, Loading } from "../Notice";
import { May } from "../people/May";
import { mayEverywhere, useMe } from "../people/session";
import { said } from "../said";
import { useTitle } from "../useTitle";
import { useName } from "../vocabulary/useVocabulary";
import { postProfile, type Fault } from "./post";
import { Push } from "./Push";

/** Profiles by version: where each is used, a new one to be kept, and one's own to be pushed. */
export function ProfilesPage() {
  const texts = useTexts();
  const words = texts.profiles;
  const me = useMe();
  const profiles = useQuery({
    queryKey: ["profiles"],
    queryFn: () => data(api.GET("/api/v1/profiles", { params: { query: { limit: 1000 } } })),
    refetchInterval: 5_000,
  });
  useTitle(words.title);
  if (profiles.isPending) return <Loading />;
  if (profiles.isError) return <Failed error={profiles.error} retry={() => void profiles.refetch()} />;
  const own = profiles.data.items.filter((each) => each.source === "own");
  const shipped = profiles.data.items.filter((each) => each.source === "shipped");
  return (
    <Stack gap="md">
      <Title order={1} size="h2">{words.title}</Title>
      {mayEverywhere(me, "profiles") && <NewProfile />}
      <List title={words.own} none={words.ownNone} profiles={own} />
      <List title={words.shipped} none="" profiles={shipped} />
    </Stack>
  );
}

function List({ title, none, profiles }: { title: string; none: string; profiles: ProfileVersion[] }) {
  return (
    <section aria-label={title}>
      <Title order={2} size="h4" mb="xs">{title}</Title>
      {profiles.length === 0 && <Text c="dimmed">{none}</Text>}
      <Stack gap="xs" component="ul" className="plain">
        {profiles.map((profile) => <li key={`${profile.id} ${profile.version} ${profile.source}`}><Row profile={profile} /></li>)}
      </Stack>
    </section>
  );
}

function Row({ profile }: { profile: ProfileVersion }) {
  const texts = useTexts();
  const words = texts.profiles;
  const name = useName();
  const refusals = Object.entries(profile.refused_by);
  return (
    <Card withBorder padding="sm">
      <Group justify="space-between" align="flex-start" gap="4px 12px">
        <div style={{ minWidth: 0 }}>
          <Text fw={600}>{name(profile.name)}</Text>
          <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>{profile.id} · {words.version(profile.version)}</Text>
        </div>
        <Text size="sm">{words.devices(profile.devices)}</Text>
      </Group>
      {profile.gateways.length > 0 && (
        <Group gap={6} mt={6}>
          {profile.gateways.map((gateway) => <Badge key={gateway} component={Link} to={`/gateways/${gateway}`} variant="light" tt="none" style={{ cursor: "pointer" }}>{gateway}</Badge>)}
        </Group>
      )}
      {refusals.map(([gateway, why]) => <Text key={gateway} size="sm" mt={4} style={{ overflowWrap: "anywhere" }}>⚠ {words.refused(gateway, words.reasons[why] ?? why)}</Text>)}
      {profile.source === "own" && <May permission="set_up"><Push profile={profile} /></May>}
    </Card>
  );
}

function NewProfile() {
  const texts = useTexts();
  const words = texts.profiles;
  const client = useQueryClient();
  const [text, write] = useState("");
  const keep = useMutation({
    mutationFn: postProfile,
    onSuccess: () => client.invalidateQueries({ queryKey: ["profiles"] }),
  });
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.new}>
      <Title order={2} size="h4" mb="xs">{words.new}</Title>
      <Stack gap="xs">
        <input type="file" accept=".yaml,.yml,.json" aria-label={words.file} onChange={(event) => void event.currentTarget.files?.[0]?.text().then(write)} />
        <Textarea
          label={words.document} value={text} onChange={(event) => write(event.currentTarget.value)} autosize minRows={4} maxRows={24}
          spellCheck={false} styles={{ input: { fontFamily: "monospace" } }}
        />
        <Group>
          <Button disabled={!text.trim()} loading={keep.isPending} onClick={() => keep.mutate(text)}>{words.keep}</Button>
        </Group>
        {keep.isError && <Alert color="red" title={words.failed}>{said(keep.error, texts)}</Alert>}
        {keep.data?.kept && <Alert color="green" role="status">{words.kept(keep.data.kept)}</Alert>}
        {keep.data && keep.data.faults.length > 0 && <Faults faults={keep.data.faults} text={text} />}
      </Stack>
    </Card>
  );
}

/** Each fault under the line it speaks of. */
function Faults({ faults, text }: { faults: Fault[]; text: string }) {
  const words = useTexts().profiles;
  const lines = text.split("\n");
  return (
    <Alert color="red" title={words.wrong(faults.length)} role="alert">
      <Stack gap="xs" component="ul" className="plain">
        {faults.map((fault) => (
          <li key={`${fault.where} ${fault.message}`}>
            <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>{words.line(fault.line)}{fault.key && ` · ${fault.key}`}</Text>
            <Text size="sm" ff="monospace" style={{ overflowX: "auto", whiteSpace: "pre" }}>{lines[fault.line - 1]}</Text>
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>{fault.message}</Text>
          </li>
        ))}
      </Stack>
    </Alert>
  );
}
