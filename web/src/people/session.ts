import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, data, ProblemError, type Session } from "../api/client";

export const SESSION_KEY = ["session"];

/** Who is signed in: null for nobody, undefined while that is not known yet. */
export function useSession(): { session: Session | null | undefined; error: Error | null; again: () => void } {
  const asked = useQuery({
    queryKey: SESSION_KEY,
    queryFn: async () => {
      try {
        return await data(api.GET("/api/v1/sessions/current"));
      } catch (error) {
        if (isNobody(error)) return null;
        throw error;
      }
    },
    staleTime: Infinity,
  });
  return { session: asked.data, error: asked.error, again: () => void asked.refetch() };
}

/** Somebody has come in or gone: what another has seen is not this one's. */
export function changeSession(queries: QueryClient, session: Session | null): void {
  queries.setQueryData(SESSION_KEY, session);
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION_KEY[0] });
}

/** The server's word that nobody is signed in (any more). */
export function isNobody(error: unknown): boolean {
  return error instanceof ProblemError && error.type.endsWith("/not_signed_in");
}

export type Permission =
  | "see" | "diagnose" | "charging" | "command" | "set_up" | "install" | "shut_out" | "profiles" | "communities" | "people" | "audit" | "tokens";

/** Whether a session has a permission: in this community, or anywhere when none is named. */
export function may(session: Session | null | undefined, permission: Permission, community?: string | undefined): boolean {
  const places = session?.permissions[permission];
  if (places === undefined) return false;
  return places === null || community === undefined || places.includes(community);
}

/** Whether a session has a permission for all communities, as what they share needs it. */
export function mayEverywhere(session: Session | null | undefined, permission: Permission): boolean {
  return session?.permissions[permission] === null;
}

/** Whoever is signed in, for what is shown only then. */
export function useMe(): Session | null | undefined {
  return useQueryClient().getQueryData<Session | null>(SESSION_KEY);
}

/** Whether whoever is signed in may do this. The server decides; this only keeps what would be refused out of sight. */
export function useMay(permission: Permission, community?: string | undefined): boolean {
  return may(useMe(), permission, community);
}
