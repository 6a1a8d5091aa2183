import { Card, SimpleGrid, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, Navigate } from "react-router";
import { api, data } from "../api/client";
import { useTexts } from "../i18n/language";
import { useTitle } from "../useTitle";
import { Empty, Failed, Loading } from "../Notice";
import { useName } from "../vocabulary/useVocabulary";

/** All communities; a single one is opened at once. */
export function CommunitiesPage() {
  const texts = useTexts();
  const name = useName();
  const communities = useQuery({
    queryKey: ["communities"],
    queryFn: () => data(api.GET("/api/v1/communities", { params: { query: { limit: 1000 } } })),
  });
  useTitle(undefined);
  if (communities.isPending) return <Loading />;
  if (communities.isError) return <Failed error={communities.error} retry={() => void communities.refetch()} />;
  const items = communities.data.items;
  if (items.length === 0) return <Empty text={texts.noCommunities} next={texts.noCommunitiesNext} />;
  if (items.length === 1 && items[0]) return <Navigate to={`/communities/${items[0].id}`} replace />;
  return (
    <>
      <Title order={1} size="h2" mb="md">{texts.communities}</Title>
      <SimpleGrid cols={{ base: 1, sm: 2, md: 3 }}>
        {items.map((community) => (
          <Card key={community.id} component={Link} to={`/communities/${community.id}`} withBorder className="card">
            <Text fw={600} size="lg">{name(community.name)}</Text>
            <Free community={community.id} kind="parking" />
            <Free community={community.id} kind="charging" />
          </Card>
        ))}
      </SimpleGrid>
    </>
  );
}

/** How much is free there, by the rule of the API. */
function Free({ community, kind }: { community: string; kind: "parking" | "charging" }) {
  const texts = useTexts();
  const answer = useQuery({
    queryKey: ["availability", community, kind],
    queryFn: () => data(api.GET("/api/v1/availability", { params: { query: { community, kind } } })),
    refetchInterval: 10_000,
  });
  const counts = answer.data?.counts;
  if (!counts) return <Text size="sm" c="dimmed">{texts.kind[kind]}: …</Text>;
  return (
    <Text size="sm" c="dimmed">
      {texts.kind[kind]}: {texts.freeOf(counts.free, counts.total)}
      {counts.unknown > 0 && ` · ${texts.unknownCount(counts.unknown)}`}
    </Text>
  );
}
