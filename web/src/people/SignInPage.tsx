import { Alert, Button, Card, Center, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, data, ProblemError } from "../api/client";
import { useTexts } from "../i18n/language";
import { useTitle } from "../useTitle";
import { changeSession } from "./session";

/** Name and password; the authenticator's code once the server asks for it. */
export function SignInPage() {
  const texts = useTexts().people;
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");
  useTitle(texts.signIn);
  const signIn = useMutation({
    mutationFn: () => data(api.POST("/api/v1/sessions", { body: { name, password, totp } })),
    onSuccess: (session) => changeSession(queries, session),
  });
  const reason = signIn.error instanceof ProblemError ? (signIn.error.type.split("/").pop() ?? "") : "";
  const [asksCode, setAsksCode] = useState(false);
  if (reason === "code_needed" && !asksCode) setAsksCode(true);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <Center mih="70vh">
      <Card withBorder w="100%" maw={380} p="lg" component="section" aria-labelledby="sign-in">
        <form onSubmit={submit}>
          <Stack gap="sm">
            <Title order={1} size="h3" id="sign-in">{texts.signIn}</Title>
            <TextInput label={texts.name} autoComplete="username" required autoFocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
            <PasswordInput
              label={texts.password}
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              visibilityToggleButtonProps={{ "aria-label": texts.showPassword }}
            />
            {asksCode && (
              <TextInput
                label={texts.code}
                description={texts.codeWhere}
                autoComplete="one-time-code"
                inputMode="numeric"
                required
                autoFocus
                value={totp}
                onChange={(event) => setTotp(event.currentTarget.value)}
              />
            )}
            {signIn.isError && (
              <Alert color={reason === "code_needed" ? "blue" : "red"} role="alert">
                {texts.refused[reason as keyof typeof texts.refused] ?? signIn.error.message}
              </Alert>
            )}
            <Button type="submit" loading={signIn.isPending}>{texts.signIn}</Button>
            <Text size="sm" c="dimmed">{texts.noAccount}</Text>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
