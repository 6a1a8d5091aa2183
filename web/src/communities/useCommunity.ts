import { useQuery } from "@tanstack/react-query";
import { api, data } from "../api/client";

/** A community with its devices and gateways; devices are looked up again now and then, as more may be adopted. */
export function useCommunity(id: string) {
  const community = useQuery({
    queryKey: ["community", id],
    queryFn: () => data(api.GET("/api/v1/communities/{community_id}", { params: { path: { community_id: id } } })),
  });
  const devices = useQuery({
    queryKey: ["devices", id],
    queryFn: () => data(api.GET("/api/v1/devices", { params: { query: { community: id, status: "adopted", limit: 1000 } } })),
    refetchInterval: 10_000,
  });
  const gateways = useQuery({
    queryKey: ["gateways", id],
    queryFn: () => data(api.GET("/api/v1/gateways", { params: { query: { community: id, limit: 1000 } } })),
    refetchInterval: 10_000,
  });
  const findings = useQuery({
    queryKey: ["findings", id],
    queryFn: () => data(api.GET("/api/v1/findings", { params: { query: { community: id, limit: 1000 } } })),
    refetchInterval: 15_000,
  });
  const bins = useQuery({
    queryKey: ["bins", id],
    queryFn: () => data(api.GET("/api/v1/bins", { params: { query: { community: id, limit: 1000 } } })),
    refetchInterval: 60_000,
  });
  return { community, devices, gateways, findings, bins };
}
