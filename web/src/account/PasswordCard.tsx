import { Button, Card, Group, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, done } from "../api/client";
import { useTexts } from "../i18n/language";
import { Refused } from "../Notice";
import { NewPasswordInput } from "../people/NewPasswordInput";
import { wordOf } from "../said";
import { OWN_SESSIONS } from "./SessionsCard";

export function PasswordCard({ name }: { name: string }) {
  const texts = useTexts();
  const words = texts.account;
  const queries = useQueryClient();
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const change = useMutation({
    mutationFn: () => done(api.PUT("/api/v1/account/password", { body: { old, new: fresh } })),
    onSuccess: () => {
      setOld("");
      setFresh("");
      return queries.invalidateQueries({ queryKey: OWN_SESSIONS });
    },
  });
  const word = wordOf(change.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.password}>
      <Title order={2} size="h4" mb="xs">{words.password}</Title>
      <form onSubmit={submit}>
        {/* So that a password manager knows whose it is. */}
        <input type="text" autoComplete="username" value={name} readOnly hidden />
        <Stack gap="xs" maw={400}>
          <PasswordInput
            label={words.oldPassword} autoComplete="current-password" required value={old} error={word === "sign_in_refused" ? words.oldWrong : undefined}
            onChange={(event) => setOld(event.currentTarget.value)} visibilityToggleButtonProps={{ "aria-label": texts.people.showPassword }}
          />
          <NewPasswordInput label={words.newPassword} value={fresh} change={setFresh} error={change.error} />
          {change.isError && word !== "sign_in_refused" && word !== "password_refused" && <Refused error={change.error} />}
          <Group gap="xs"><Button type="submit" loading={change.isPending}>{words.changePassword}</Button></Group>
          {change.isSuccess && !fresh && <Text size="sm" role="status">✓ {words.passwordChanged}</Text>}
        </Stack>
      </form>
    </Card>
  );
}
