import { Alert, Stack, Text, Title } from "@mantine/core";
import type { Session } from "../api/client";
import { useTexts } from "../i18n/language";
import { May } from "../people/May";
import { useGrantLabel } from "../people/useNames";
import { useTitle } from "../useTitle";
import { AuthenticatorCard } from "./AuthenticatorCard";
import { PasskeysCard } from "./PasskeysCard";
import { PasswordCard } from "./PasswordCard";
import { ProviderCard } from "./ProviderCard";
import { SessionsCard } from "./SessionsCard";
import { TokensCard } from "./TokensCard";

/** What is one's own: how one comes in, where one is, and which machines speak for one. */
export function AccountPage({ session }: { session: Session }) {
  const texts = useTexts();
  const words = texts.account;
  const labelOf = useGrantLabel();
  useTitle(words.title);
  return (
    <Stack gap="md" maw={760} mx="auto">
      <div>
        <Title order={1} size="h2">{words.title}</Title>
        <Text style={{ overflowWrap: "anywhere" }}><strong>{session.name}</strong></Text>
        <Text size="sm" c="dimmed">{session.grants.map(labelOf).join(texts.people.comma) || texts.people.noRole}</Text>
      </div>
      {session.authenticator_missing && <Alert color="orange" title={words.authenticatorMissing} role="alert">{words.authenticatorMissingText}</Alert>}
      <AuthenticatorCard isOn={session.authenticator} />
      <PasskeysCard />
      <PasswordCard name={session.name} />
      <ProviderCard isConnected={session.provider} />
      <SessionsCard />
      <May permission="tokens"><TokensCard session={session} /></May>
    </Stack>
  );
}
