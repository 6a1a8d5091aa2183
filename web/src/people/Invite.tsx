import { Button, Card, Group, Select, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Grant, type NewInvitation } from "../api/client";
import { useLanguage } from "../i18n/language";
import { Refused } from "../Notice";
import { shownTime } from "../reading/format";
import { Copied, ShownOnce } from "../ShownOnce";
import { rolesToGive } from "./grants";
import { GrantsField } from "./GrantsField";
import { INVITATIONS } from "./Invitations";
import { useMe } from "./session";

const DAY_S = 86_400;
const DAYS = ["1", "3", "7", "30"];

/** Make an invitation, and show its link once. */
export function Invite({ close }: { close: () => void }) {
  const { texts, language } = useLanguage();
  const words = texts.peoplePage;
  const client = useQueryClient();
  const held = useMe()?.grants ?? [];
  const [grants, change] = useState<Grant[]>([]);
  const [days, choose] = useState("3");
  const [made, show] = useState<NewInvitation | null>(null);
  const [email, setEmail] = useState("");
  const provider = useQuery({ queryKey: ["provider"], queryFn: () => data(api.GET("/api/v1/sessions/provider")), staleTime: Infinity });
  const invite = useMutation({
    mutationFn: () => data(api.POST("/api/v1/invitations", { body: { grants, valid_s: Number(days) * DAY_S, ...(email.trim() && { email: email.trim() }) } })),
    onSuccess: (invitation) => {
      show(invitation);
      return client.invalidateQueries({ queryKey: INVITATIONS });
    },
  });
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.invite}>
      <Title order={2} size="h4" mb="xs">{words.invite}</Title>
      {!made && <Stack gap="xs">
        <Text size="sm" c="dimmed">{words.inviteText}</Text>
        <GrantsField label={words.invitedAs} grants={grants} change={change} rolesFor={(community) => rolesToGive(held, community)} />
        <Group gap="xs" align="flex-end">
          <Select label={words.holds} w={150} allowDeselect={false} value={days} onChange={(value) => value && choose(value)} data={DAYS.map((value) => ({ value, label: words.days(Number(value)) }))} />
          {provider.data?.name && <TextInput type="email" label={words.email} description={words.emailText(provider.data.name)} maxLength={254} flex="1 1 14rem" value={email} onChange={(event) => setEmail(event.currentTarget.value)} />}
          <Button disabled={grants.length === 0} loading={invite.isPending} onClick={() => invite.mutate()}>{words.inviteDo}</Button>
          <Button variant="default" onClick={close}>{texts.cancel}</Button>
        </Group>
      </Stack>}
      {invite.isError && <Refused error={invite.error} mt="xs" />}
      {made && (
        <ShownOnce close={close}>
          <Text size="sm">{words.passOn}</Text>
          <Copied label={words.link} text={`${window.location.origin}/invitation#${made.code}`} code="invitation" />
          <Copied label={words.codeAlone} text={made.code} />
          <Text size="sm">{texts.claims.until(shownTime(made.expires_ms, language))}</Text>
        </ShownOnce>
      )}
    </Card>
  );
}
