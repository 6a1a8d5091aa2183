import { Card, SimpleGrid, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, Navigate } from "react-router";
import { api, data } from "../api/client";
import { useTexts } from "../i18n/language";
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
            <Text size="sm" c="dimmed">{community.id}</Text>
          </Card>
        ))}
      </SimpleGrid>
    </>
  );
}
