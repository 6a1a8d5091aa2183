import { Badge, Group, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "react-router";
import { api, data, type Availability as Free } from "../api/client";
import { useLanguage } from "../i18n/language";
import { Empty, Failed, Loading } from "../Notice";
import { useTitle } from "../useTitle";

const REFRESH_MS = 15_000;

/** What is free in a community: for residents, without signing in. */
export function AvailabilityPage() {
  const { id = "" } = useParams();
  return <Availability id={id} />;
}

export function Availability({ id }: { id: string }) {
  const { texts, language } = useLanguage();
  const parking = useFree(id, "parking");
  const charging = useFree(id, "charging");
  const name = parking.data?.name[language] ?? charging.data?.name[language];
  useTitle(name);
  const error = parking.error ?? charging.error;
  if (error) return <Failed error={error} retry={() => void Promise.all([parking.refetch(), charging.refetch()])} />;
  if (!parking.data || !charging.data) return <Loading />;
  return (
    <Stack gap="lg">
      <Title order={1} size="h2">{name}</Title>
      <Places name={texts.freePlaces} found={parking.data} />
      <Places name={texts.freeChargers} found={charging.data} />
    </Stack>
  );
}

function useFree(community: string, kind: "parking" | "charging") {
  return useQuery({
    queryKey: ["availability", community, kind],
    queryFn: () => data(api.GET("/api/v1/availability", { params: { query: { community, kind } } })),
    refetchInterval: REFRESH_MS,
  });
}

function Places({ name, found }: { name: string; found: Free }) {
  const { texts, language } = useLanguage();
  if (found.counts.total === 0) return <Empty text={`${name}: ${texts.noDevices}`} />;
  return (
    <section aria-label={name}>
      <Group gap="xs" mb="xs">
        <Title order={2} size="h4">{name}</Title>
        <Badge size="lg" tt="none" variant="light" className="steady">{texts.freeOf(found.counts.free, found.counts.total)}</Badge>
      </Group>
      <ul className="plain places">
        {found.places.map((place) => (
          <li key={place.device_id} className="place" data-status={place.status}>
            <Text fw={600} size="sm">{place.name[language]}</Text>
            <Text size="xs">{texts.status[place.status]}</Text>
          </li>
        ))}
      </ul>
    </section>
  );
}
