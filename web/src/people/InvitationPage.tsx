import { Alert, Button, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { api, data } from "../api/client";
import { useTexts } from "../i18n/language";
import { Refused } from "../Notice";
import { wordOf } from "../said";
import { useTitle } from "../useTitle";
import { NewPasswordInput } from "./NewPasswordInput";
import { changeSession, useMe } from "./session";
import { Threshold } from "./Threshold";

/** Somebody who was invited chooses a name and a password. The code stands behind the link's #, which no server is sent. */
export function InvitationPage() {
  const texts = useTexts();
  const words = texts.people;
  const { hash } = useLocation();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const me = useMe();
  const [typed, setCode] = useState<string | null>(null);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const code = typed ?? codeIn(hash);
  useTitle(words.welcome);
  const accept = useMutation({
    mutationFn: () => data(api.POST("/api/v1/invitations/accept", { body: { code: code.trim(), name: name.trim(), password } })),
    onSuccess: (session) => {
      changeSession(queries, session);
      void navigate(session.authenticator_missing ? "/account" : "/", { replace: true });
    },
  });
  const word = wordOf(accept.error);
  const isNamed = word === "conflict" || (word === "body_invalid" && accept.error?.message.includes("name"));
  return (
    <Threshold title={words.welcome} submit={() => accept.mutate()}>
      <Text size="sm" c="dimmed">{words.welcomeText}</Text>
      {me && <Alert color="orange">{words.signedInAlready(me.name)}</Alert>}
      <TextInput label={words.invitationCode} required autoComplete="off" spellCheck={false} value={code} onChange={(event) => setCode(event.currentTarget.value)} styles={{ input: { fontFamily: "monospace" } }} />
      <TextInput
        label={words.name} description={words.nameText} required autoComplete="username" autoFocus={code !== ""} maxLength={64} value={name}
        error={isNamed ? (word === "conflict" ? words.nameTaken : words.nameText) : undefined}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <NewPasswordInput label={words.password} value={password} change={setPassword} error={accept.error} />
      {accept.isError && !isNamed && word !== "password_refused" && <Refused error={accept.error} words={words.refused} />}
      <Button type="submit" loading={accept.isPending}>{words.comeIn}</Button>
    </Threshold>
  );
}

/** Programs that pass a link on may have escaped it; what can't be read is shown as it came. */
function codeIn(hash: string): string {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return hash.slice(1);
  }
}
