import { Alert, Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { Link } from "react-router";
import type { Approval } from "../api/client";
import { useLanguage } from "../i18n/language";
import { shownTime } from "../reading/format";

interface Props {
  approvals: Approval[];
  whatOf: (approval: Approval) => string;
  isBusy: boolean;
  act: (approval: Approval) => void;
}

/** What one has asked for here: it waits for a second person, or may be done now, once. */
export function OwnApprovals({ approvals, whatOf, isBusy, act }: Props) {
  const { language, texts } = useLanguage();
  const words = texts.approvals;
  if (approvals.length === 0) return null;
  return (
    <Stack gap="xs" mt="xs" component="ul" className="plain">
      {approvals.map((each) => (
        <li key={each.id}>
          <Alert color={each.state === "approved" ? "green" : "blue"} p="xs" role="status" data-approval={each.state}>
            <Group justify="space-between" gap="4px 12px">
              <div style={{ minWidth: 0 }}>
                <Text size="sm" fw={600}>{whatOf(each)}</Text>
                <Text size="sm">
                  {each.state === "approved" ? words.allowedBy(each.decided_by_name) : words.waits} · {words.until(shownTime(each.expires_ms, language, "clock"))}
                </Text>
              </div>
              {each.state === "approved" ? (
                <Button size="xs" color="red.8" loading={isBusy} onClick={() => act(each)}>{words.doNow}</Button>
              ) : (
                <Anchor component={Link} to="/approvals" size="sm" c="inherit" underline="always">{words.title}</Anchor>
              )}
            </Group>
          </Alert>
        </li>
      ))}
    </Stack>
  );
}
