import { Badge, Button, Card, Group, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, data, type Invitation } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { Failed, Refused } from "../Notice";
import { shownTime } from "../reading/format";
import { useGrantLabel, usePersonName } from "./useNames";

export const INVITATIONS = ["invitations"];
const RECENT = 5;

/** The open invitations, and what became of the last others. */
export function Invitations() {
  const words = useTexts().peoplePage;
  const invitations = useQuery({
    queryKey: INVITATIONS,
    queryFn: () => data(api.GET("/api/v1/invitations", { params: { query: { limit: 100 } } })),
    refetchInterval: 10_000,
  });
  const items = invitations.data?.items ?? [];
  const open = items.filter((each) => each.state === "open");
  const past = items.filter((each) => each.state !== "open").slice(0, RECENT);
  if (invitations.isError) return <Failed error={invitations.error} retry={() => void invitations.refetch()} />;
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.invitations}>
      <Title order={2} size="h4" mb="xs">{words.invitations}</Title>
      {open.length === 0 && <Text size="sm" c="dimmed" mb="xs">{words.noneOpen}</Text>}
      <Stack gap="sm" component="ul" className="plain">
        {[...open, ...past].map((each) => <li key={each.id}><Row invitation={each} /></li>)}
      </Stack>
    </Card>
  );
}

const COLORS = { open: "blue.8", used: "green.9", withdrawn: "gray.7", expired: "gray.7" } as const;

function Row({ invitation }: { invitation: Invitation }) {
  const { texts, language } = useLanguage();
  const words = texts.peoplePage;
  const client = useQueryClient();
  const labelOf = useGrantLabel();
  const personName = usePersonName();
  const withdraw = useMutation({
    mutationFn: () => data(api.POST("/api/v1/invitations/{invitation_id}/withdraw", { params: { path: { invitation_id: invitation.id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: INVITATIONS }),
  });
  const { state, user_id, issuer_id } = invitation;
  return (
    <>
      <Group justify="space-between" gap="4px 12px" align="flex-start" wrap="nowrap">
        <div style={{ minWidth: 0, overflowWrap: "anywhere" }}>
          <Text size="sm" fw={600}>{invitation.grants.map(labelOf).join(texts.people.comma)}</Text>
          <Text size="sm" c="dimmed">
            {issuer_id ? words.invitedBy(personName(issuer_id)) : words.firstOne}
            {state === "open" && ` · ${texts.claims.until(shownTime(invitation.expires_ms, language))}`}
            {invitation.for_provider && ` · ${words.byProvider}`}
            {user_id && ` · ${words.became(personName(user_id))}`}
          </Text>
        </div>
        <Group gap="xs" justify="flex-end" style={{ flexShrink: 0 }}>
          <Badge color={COLORS[state]} tt="none">{texts.claims.states[state]}</Badge>
          {state === "open" && <Button size="xs" variant="default" loading={withdraw.isPending} onClick={() => withdraw.mutate()}>{texts.claims.withdraw}</Button>}
        </Group>
      </Group>
      {withdraw.isError && <Refused error={withdraw.error} />}
    </>
  );
}
