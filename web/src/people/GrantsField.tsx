import { ActionIcon, Button, Fieldset, Group, Select, Stack, Text } from "@mantine/core";
import type { Grant, Role } from "../api/client";
import { useTexts } from "../i18n/language";
import { leastOf } from "./grants";
import { useCommunities, useGrantLabel } from "./useNames";

const EVERYWHERE = "";

interface Props {
  label: string;
  grants: Grant[];
  change: (grants: Grant[]) => void;
  /** The roles that can be chosen for a community; null: for all. */
  rolesFor: (community: string | null) => Role[];
}

/** Roles with where each holds. What can't be chosen here stands there, and stays. */
export function GrantsField({ label, grants, change, rolesFor }: Props) {
  const texts = useTexts();
  const words = texts.peoplePage;
  const { items } = useCommunities();
  const labelOf = useGrantLabel();
  const places = [
    ...(rolesFor(null).length ? [{ value: EVERYWHERE, label: words.everywhere }] : []),
    ...items.filter((each) => rolesFor(each.id).length).map((each) => ({ value: each.id, label: each.name })),
  ];
  const put = (index: number, grant: Grant) => change(grants.map((each, at) => (at === index ? grant : each)));
  const add = () => {
    const place = places.find((each) => each.value !== EVERYWHERE) ?? places[0];
    if (!place) return;
    const community_id = place.value || null;
    const role = leastOf(rolesFor(community_id), grants.filter((each) => each.community_id === community_id).map((each) => each.role));
    if (role) change([...grants, { role, community_id }]);
  };
  return (
    <Fieldset legend={label} p="xs">
      <Stack gap="xs">
        {grants.length === 0 && <Text size="sm" c="dimmed">{texts.people.noRole}</Text>}
        {grants.map((grant, index) => {
          const roles = rolesFor(grant.community_id);
          if (!roles.includes(grant.role)) return <Text key={index} size="sm">{labelOf(grant)}</Text>;
          return (
            <Group key={index} gap="xs" wrap="nowrap" align="flex-end">
              <Select
                size="sm" flex={1} aria-label={words.role} allowDeselect={false} value={grant.role}
                data={roles.map((role) => ({ value: role, label: texts.people.role[role] }))}
                onChange={(role) => role && put(index, { ...grant, role })}
              />
              <Select
                size="sm" flex={1} aria-label={words.community} allowDeselect={false} value={grant.community_id ?? EVERYWHERE} data={places}
                onChange={(value) => {
                  const community_id = value || null;
                  const possible = rolesFor(community_id);
                  const role = possible.includes(grant.role) ? grant.role : leastOf(possible, []);
                  if (role) put(index, { role, community_id });
                }}
              />
              <ActionIcon size={36} variant="default" aria-label={words.removeRole(labelOf(grant))} onClick={() => change(grants.filter((_, at) => at !== index))}>✕</ActionIcon>
            </Group>
          );
        })}
        {places.length > 0 && <Group><Button size="xs" variant="default" onClick={add}>{words.addRole}</Button></Group>}
      </Stack>
    </Fieldset>
  );
}
