import { Alert, Anchor, Button, Divider, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, data, type Session } from "../api/client";
import { useTexts } from "../i18n/language";
import { said, wordOf } from "../said";
import { useTitle } from "../useTitle";
import { knowsPasskeys, showPasskey } from "./passkeys";
import { SecondFactor } from "./SecondFactor";
import { changeSession } from "./session";
import { Threshold } from "./Threshold";

/** Name and password, and a second factor once the server asks for it; or a passkey, or the provider's word. */
export function SignInPage() {
  const texts = useTexts();
  const words = texts.people;
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");
  const [asked, setAsked] = useState("");
  useTitle(words.signIn);
  const onSuccess = (session: Session) => changeSession(queries, session);
  const signIn = useMutation({
    mutationFn: async (withPasskey: boolean) => {
      const passkey = withPasskey ? { passkey: await showPasskey() } : {};
      return data(api.POST("/api/v1/sessions", { body: { name, password, totp, ...passkey } }));
    },
    onSuccess,
    onError: (error) => {
      const word = wordOf(error);
      if (word === "code_needed" || word === "passkey_needed") setAsked(word);
    },
  });
  const byPasskey = useMutation({
    mutationFn: async () => data(api.POST("/api/v1/sessions/passkey", { body: { credential: await showPasskey() } })),
    onSuccess,
  });
  const byProvider = useMutation({
    mutationFn: () => data(api.POST("/api/v1/sessions/provider/options")),
    onSuccess: ({ authorization_url }) => window.location.assign(authorization_url),
  });
  const provider = useQuery({ queryKey: ["provider"], queryFn: () => data(api.GET("/api/v1/sessions/provider")), staleTime: Infinity });
  const error = signIn.error ?? byPasskey.error ?? byProvider.error;
  const isBusy = signIn.isPending || byPasskey.isPending || byProvider.isPending || byProvider.isSuccess;
  const begin = (act: () => void) => {
    signIn.reset();
    byPasskey.reset();
    byProvider.reset();
    act();
  };
  const providerName = provider.data?.name;
  return (
    <Threshold title={words.signIn} submit={() => begin(() => signIn.mutate(asked === "passkey_needed"))}>
      <TextInput label={words.name} autoComplete="username" required autoFocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
      <PasswordInput
        label={words.password} autoComplete="current-password" required value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        visibilityToggleButtonProps={{ "aria-label": words.showPassword }}
      />
      {asked === "code_needed" && <SecondFactor value={totp} change={setTotp} />}
      {error && <Alert color={wordOf(error).endsWith("_needed") ? "blue" : "red"} role="alert">{said(error, texts, words.refused)}</Alert>}
      <Button type="submit" loading={signIn.isPending} disabled={isBusy}>{asked === "passkey_needed" ? words.goOnWithPasskey : words.signIn}</Button>
      {(knowsPasskeys() || providerName) && (
        <Stack gap="xs">
          <Divider label={words.or} />
          {knowsPasskeys() && <Button variant="default" loading={byPasskey.isPending} disabled={isBusy} onClick={() => begin(() => byPasskey.mutate())}>{words.withPasskey}</Button>}
          {providerName && <Button variant="default" loading={byProvider.isPending} disabled={isBusy} onClick={() => begin(() => byProvider.mutate())}>{words.withProvider(providerName)}</Button>}
        </Stack>
      )}
      <Text size="sm" c="dimmed">{words.noAccount} <Anchor component={Link} to="/invitation" inherit>{words.haveCode}</Anchor></Text>
    </Threshold>
  );
}
