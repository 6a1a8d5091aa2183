import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, data, type Approval, type ApprovalBody } from "../api/client";
import { useMay, useMe } from "../people/session";
import { askedBy, waitingFor } from "./present";

export const APPROVALS = ["approvals"];

/** The newest approvals that whoever asks may see; asked again and again, as another person acts on them. */
export function useApprovals() {
  return useQuery({
    queryKey: APPROVALS,
    queryFn: () => data(api.GET("/api/v1/approvals", { params: { query: { limit: 100 } } })),
    enabled: useMay("command"),
    refetchInterval: 10_000,
    refetchOnWindowFocus: true,
  });
}

/** How many wait for whoever asks. */
export function useWaiting(): number {
  const me = useMe();
  return waitingFor(useApprovals().data?.items ?? [], me?.user_id ?? "").length;
}

/** What whoever asks wants to do here, and waits for or may do now. */
export function useOwnApprovals(action: ApprovalBody["action"], target: string): Approval[] {
  const me = useMe();
  return askedBy(useApprovals().data?.items ?? [], me?.user_id ?? "").filter((each) => each.action === action && each.target === target);
}

export function useAsk() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ApprovalBody) => data(api.POST("/api/v1/approvals", { body })),
    onSuccess: () => client.invalidateQueries({ queryKey: APPROVALS }),
  });
}
