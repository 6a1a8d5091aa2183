import { Badge, Button, Card, Group, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, data, done, type OpenSession } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import { useNow } from "../live/useLive";
import { Failed, Refused } from "../Notice";
import { shownAge, shownTime } from "../reading/format";

export const OWN_SESSIONS = ["account", "sessions"];

/** Where one is signed in, and the way to end it there. */
export function SessionsCard() {
  const words = useTexts().account;
  const client = useQueryClient();
  const nowMs = useNow(null, 30_000);
  const sessions = useQuery({ queryKey: OWN_SESSIONS, queryFn: () => data(api.GET("/api/v1/account/sessions")), refetchInterval: 30_000 });
  const end = useMutation({
    mutationFn: (session_id: string) => done(api.POST("/api/v1/account/sessions/{session_id}/end", { params: { path: { session_id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: OWN_SESSIONS }),
  });
  return (
    <Card withBorder padding="sm" component="section" aria-label={words.sessions}>
      <Title order={2} size="h4">{words.sessions}</Title>
      <Text size="sm" c="dimmed" mb="xs">{words.sessionsText}</Text>
      {sessions.isError && <Failed error={sessions.error} retry={() => void sessions.refetch()} />}
      <Stack gap="xs" component="ul" className="plain">
        {sessions.data?.items.map((each) => (
          <Group key={each.id} component="li" justify="space-between" gap="4px 12px">
            <Row session={each} nowMs={nowMs} />
            {each.current ? (
              <Badge variant="light" tt="none">{words.thisOne}</Badge>
            ) : (
              <Button size="xs" variant="default" loading={end.isPending && end.variables === each.id} onClick={() => end.mutate(each.id)}>{words.end}</Button>
            )}
          </Group>
        ))}
      </Stack>
      {end.isError && <Refused error={end.error} mt="xs" />}
    </Card>
  );
}

function Row({ session, nowMs }: { session: OpenSession; nowMs: number }) {
  const { language, texts } = useLanguage();
  const words = texts.account;
  return (
    <div>
      <Text size="sm">{words.begun(shownTime(session.begun_ms, language))}</Text>
      <Text size="sm" c="dimmed">{words.lastUsed(shownAge(nowMs - session.seen_ms, texts))}</Text>
    </div>
  );
}
