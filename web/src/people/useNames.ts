import { useQuery } from "@tanstack/react-query";
import { api, data, type Grant, type Role } from "../api/client";
import { useTexts } from "../i18n/language";
import { useName } from "../vocabulary/useVocabulary";
import { useMay, useMe } from "./session";

/** An id to what that person is called, as far as whoever asks may know it; else the id. */
export function usePersonName(): (id: string) => string {
  const me = useMe();
  const users = useQuery({ ...USERS, enabled: useMay("people") });
  const names = new Map(users.data?.items.map((user) => [user.id, user.name]));
  if (me) names.set(me.user_id, me.name);
  return (id) => names.get(id) ?? id;
}

export const USERS = {
  queryKey: ["users"],
  queryFn: () => data(api.GET("/api/v1/users", { params: { query: { limit: 1000 } } })),
};

/** The communities that whoever asks sees. */
export function useCommunities() {
  const name = useName();
  const communities = useQuery({
    queryKey: ["communities"],
    queryFn: () => data(api.GET("/api/v1/communities", { params: { query: { limit: 1000 } } })),
    enabled: useMay("see"),
  });
  const items = communities.data?.items ?? [];
  return {
    items: items.map((each) => ({ id: each.id, name: name(each.name) })),
    nameOf: (id: string) => {
      const found = items.find((each) => each.id === id);
      return found ? name(found.name) : id;
    },
  };
}

/** A role with where it holds: "Maintenance crew · Willow Gardens". */
export function useGrantLabel(): (grant: Grant) => string {
  const texts = useTexts();
  const { nameOf } = useCommunities();
  return ({ role, community_id }) => `${roleName(texts.people.role, role)} · ${community_id === null ? texts.peoplePage.everywhere : nameOf(community_id)}`;
}

function roleName(names: Record<Role, string>, role: Role): string {
  return names[role] ?? role;
}
