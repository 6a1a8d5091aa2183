import { Badge, Button, Card, Group, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, data, done } from "../api/client";
import { useTexts } from "../i18n/language";
import { Refused } from "../Notice";
import { SESSION_KEY } from "../people/session";

/** One's identity at the sign-in provider, where there is one. */
export function ProviderCard({ isConnected }: { isConnected: boolean }) {
  const words = useTexts().account;
  const queries = useQueryClient();
  const provider = useQuery({ queryKey: ["provider"], queryFn: () => data(api.GET("/api/v1/sessions/provider")), staleTime: Infinity });
  const connect = useMutation({
    mutationFn: () => data(api.POST("/api/v1/sessions/provider/options")),
    onSuccess: ({ authorization_url }) => window.location.assign(authorization_url),
  });
  const disconnect = useMutation({
    mutationFn: () => done(api.DELETE("/api/v1/account/provider")),
    onSuccess: () => queries.invalidateQueries({ queryKey: SESSION_KEY }),
  });
  const name = provider.data?.name;
  if (!name) return null;
  return (
    <Card withBorder padding="sm" component="section" aria-label={name}>
      <Group gap="xs" mb={4}>
        <Title order={2} size="h4">{name}</Title>
        <Badge color={isConnected ? "green.9" : "gray.7"} tt="none">{isConnected ? words.connected : words.notConnected}</Badge>
      </Group>
      <Text size="sm" c="dimmed" mb="xs">{words.providerText(name)}</Text>
      <Group>
        {isConnected ? (
          <Button size="sm" variant="default" loading={disconnect.isPending} onClick={() => disconnect.mutate()}>{words.disconnect}</Button>
        ) : (
          <Button size="sm" variant="default" loading={connect.isPending || connect.isSuccess} onClick={() => connect.mutate()}>{words.connect}</Button>
        )}
      </Group>
      {(connect.error ?? disconnect.error) && <Refused error={(connect.error ?? disconnect.error) as Error} mt="xs" />}
    </Card>
  );
}
