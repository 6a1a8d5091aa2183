import { Alert, Anchor, Button, PasswordInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { api, data, ProblemError } from "../api/client";
import { useTexts } from "../i18n/language";
import { said } from "../said";
import { useTitle } from "../useTitle";
import { changeSession } from "./session";
import { Threshold } from "./Threshold";

/** Name and password; the authenticator's code once the server asks for it. */
export function SignInPage() {
  const texts = useTexts();
  const words = texts.people;
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");
  useTitle(words.signIn);
  const signIn = useMutation({
    mutationFn: () => data(api.POST("/api/v1/sessions", { body: { name, password, totp } })),
    onSuccess: (session) => changeSession(queries, session),
  });
  const reason = signIn.error instanceof ProblemError ? signIn.error.word : "";
  const [asksCode, setAsksCode] = useState(false);
  if (reason === "code_needed" && !asksCode) setAsksCode(true);
  return (
    <Threshold title={words.signIn} submit={() => signIn.mutate()}>
      <TextInput label={words.name} autoComplete="username" required autoFocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
      <PasswordInput
        label={words.password} autoComplete="current-password" required value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        visibilityToggleButtonProps={{ "aria-label": words.showPassword }}
      />
      {asksCode && (
        <TextInput
          label={words.code} description={words.codeWhere} autoComplete="one-time-code" inputMode="numeric" required autoFocus value={totp}
          onChange={(event) => setTotp(event.currentTarget.value)}
        />
      )}
      {signIn.isError && <Alert color={reason === "code_needed" ? "blue" : "red"} role="alert">{said(signIn.error, texts, words.refused)}</Alert>}
      <Button type="submit" loading={signIn.isPending}>{words.signIn}</Button>
      <Text size="sm" c="dimmed">{words.noAccount} <Anchor component={Link} to="/invitation" inherit>{words.haveCode}</Anchor></Text>
    </Threshold>
  );
}
