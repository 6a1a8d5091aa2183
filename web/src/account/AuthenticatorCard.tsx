import { Badge, Button, Card, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, done } from "../api/client";
import { useTexts } from "../i18n/language";
import { Refused } from "../Notice";
import { SESSION_KEY } from "../people/session";
import { Copied } from "../ShownOnce";

/** An app that shows a code: set it up by picture or secret and a first code of it, or remove it with a last one. */
export function AuthenticatorCard({ isOn }: { isOn: boolean }) {
  const words = useTexts().account;
  const queries = useQueryClient();
  const [isRemoving, setRemoving] = useState(false);
  const begin = useMutation({ mutationFn: () => data(api.POST("/api/v1/account/authenticator")) });
  // What one may do can change with it, so everything is asked again.
  const settle = async () => {
    begin.reset();
    setRemoving(false);
    await queries.invalidateQueries({ queryKey: SESSION_KEY });
  };
  const confirm = useMutation({ mutationFn: (code: string) => done(api.PUT("/api/v1/account/authenticator", { body: { code } })), onSuccess: settle });
  const remove = useMutation({ mutationFn: (code: string) => done(api.POST("/api/v1/account/authenticator/remove", { body: { code } })), onSuccess: settle });
  const secret = begin.data ? (new URL(begin.data.link).searchParams.get("secret") ?? "") : "";
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.authenticator}>
      <Group gap="xs" mb={4}>
        <Title order={2} size="h4">{words.authenticator}</Title>
        <Badge color={isOn ? "green.9" : "gray.7"} tt="none">{isOn ? words.on : words.off}</Badge>
      </Group>
      <Text size="sm" c="dimmed">{words.authenticatorText}</Text>
      {!isOn && !begin.data && <Group mt="sm"><Button size="sm" loading={begin.isPending} onClick={() => begin.mutate()}>{words.setUp}</Button></Group>}
      {!isOn && begin.isError && <Refused error={begin.error} mt="xs" />}
      {!isOn && begin.data && (
        <Group align="flex-start" gap="md" mt="sm">
          <img src={`data:image/svg+xml;utf8,${encodeURIComponent(begin.data.qr_svg)}`} alt={words.picture} width={180} height={180} style={{ background: "#fff", padding: 8 }} />
          <Stack gap="xs" style={{ flex: "1 1 14rem", minWidth: 0 }}>
            <Text size="sm">{words.scan}</Text>
            <Copied label={words.secret} text={secret} code="authenticator" />
            <CodeForm label={words.firstCode} action={words.confirm} isBusy={confirm.isPending} error={confirm.error} submit={(code) => confirm.mutate(code)} />
          </Stack>
        </Group>
      )}
      {isOn && !isRemoving && <Group mt="sm"><Button size="sm" variant="default" onClick={() => setRemoving(true)}>{words.remove}</Button></Group>}
      {isOn && isRemoving && (
        <Stack gap="xs" mt="sm">
          <CodeForm label={words.lastCode} action={words.removeYes} isBusy={remove.isPending} error={remove.error} submit={(code) => remove.mutate(code)} cancel={() => setRemoving(false)} />
        </Stack>
      )}
    </Card>
  );
}

interface CodeFormProps {
  label: string;
  action: string;
  isBusy: boolean;
  error: Error | null;
  submit: (code: string) => void;
  cancel?: () => void;
}

function CodeForm({ label, action, isBusy, error, submit, cancel }: CodeFormProps) {
  const texts = useTexts();
  const [code, setCode] = useState("");
  return (
    <form onSubmit={(event) => { event.preventDefault(); submit(code.replaceAll(" ", "")); }}>
      <Group gap="xs" align="flex-end">
        <TextInput label={label} autoComplete="one-time-code" inputMode="numeric" required w={180} value={code} onChange={(event) => setCode(event.currentTarget.value)} />
        <Button type="submit" loading={isBusy}>{action}</Button>
        {cancel && <Button variant="default" onClick={cancel}>{texts.cancel}</Button>}
      </Group>
      {error && <Refused error={error} words={{ sign_in_refused: texts.account.codeWrong }} mt="xs" />}
    </form>
  );
}
