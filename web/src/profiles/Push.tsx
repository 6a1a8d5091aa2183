import { Button, Group, Select, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Approval, type ProfileVersion } from "../api/client";
import { AskModal } from "../approvals/AskModal";
import { OwnApprovals } from "../approvals/OwnApprovals";
import { receiversOf } from "../approvals/present";
import { APPROVALS, useAsk, useOwnApprovals } from "../approvals/useApprovals";
import { useTexts } from "../i18n/language";
import { Refused } from "../Notice";
import { useMay } from "../people/session";
import { useCommunities } from "../people/useNames";
import { wordOf } from "../said";

interface To {
  community: string;
  gateways: string[];
  approval?: string;
}

/** A version to all gateways of a community: to more than one at once under the approval of a second person. */
export function Push({ profile }: { profile: ProfileVersion }) {
  const texts = useTexts();
  const words = texts.profiles;
  const client = useQueryClient();
  const { items, nameOf } = useCommunities();
  const [community, choose] = useState<string | null>(null);
  const target = `${profile.id}/${profile.version}`;
  const mayAsk = useMay("command");
  const ask = useAsk();
  const approvals = useOwnApprovals("push_profile", target);
  const push = useMutation({
    mutationFn: (body: To) => {
      const [maker = "", model = ""] = profile.id.split("/");
      const path = { maker, model, version: profile.version };
      return data(api.POST("/api/v1/profiles/{maker}/{model}/versions/{version}/push", { params: { path }, body }));
    },
    onSuccess: () => Promise.all([client.invalidateQueries({ queryKey: ["profiles"] }), client.invalidateQueries({ queryKey: APPROVALS })]),
  });
  const isForTwo = mayAsk && wordOf(push.error) === "approval_needed";
  const what = (to: string) => texts.approvals.push(target, nameOf(to));
  return (
    <Stack gap={4} mt="xs">
      <Group gap="xs" align="flex-end">
        <Select
          size="xs" aria-label={words.pushTo} placeholder={words.pushTo} value={community} onChange={choose}
          data={items.map((each) => ({ value: each.id, label: each.name }))}
        />
        <Button size="xs" disabled={!community} loading={push.isPending} onClick={() => community && push.mutate({ gateways: [], community })}>{words.push}</Button>
      </Group>
      {push.isSuccess && <Text size="sm" role="status">{words.pushed(push.data.gateways.length)}</Text>}
      {push.isError && !isForTwo && <Refused error={push.error} />}
      <OwnApprovals
        approvals={approvals} whatOf={(approval: Approval) => what(receiversOf(approval).community)} isBusy={push.isPending}
        act={(approval) => push.mutate({ ...receiversOf(approval), approval: approval.id })}
      />
      {isForTwo && community && (
        <AskModal
          what={what(community)} error={ask.error} isBusy={ask.isPending} close={() => { ask.reset(); push.reset(); }}
          ask={(reason) => ask.mutate({ action: "push_profile", target, request: { gateways: [], community }, reason }, { onSuccess: () => push.reset() })}
        />
      )}
    </Stack>
  );
}
