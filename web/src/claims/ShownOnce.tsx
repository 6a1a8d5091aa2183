import { Alert, Button, Code, Group, Stack, Text } from "@mantine/core";
import type { NewClaim } from "../api/client";
import { useLanguage } from "../i18n/language";
import { shownTime } from "../reading/format";

/** A new claim's code, as text and as a QR picture: it is kept nowhere. */
export function ShownOnce({ claim, close }: { claim: NewClaim; close: () => void }) {
  const { language, texts } = useLanguage();
  const words = texts.claims;
  const command = `sudo edge-agent provision '${claim.link}'`;
  return (
    <Alert color="blue" mt="sm" title={words.once} role="status">
      <Group align="flex-start" gap="md">
        <img src={`data:image/svg+xml;utf8,${encodeURIComponent(claim.qr_svg)}`} alt={words.picture} width={180} height={180} style={{ background: "#fff", padding: 8 }} />
        <Stack gap="xs" style={{ flex: "1 1 14rem", minWidth: 0 }}>
          <Text fw={600}>{claim.gateway_id}</Text>
          <Code block style={{ fontSize: "1.05rem", whiteSpace: "pre-wrap", overflowWrap: "anywhere" }} data-claim={claim.id}>{claim.code}</Code>
          <Text size="sm">{words.until(shownTime(claim.expires_ms, language))}</Text>
          <Text size="sm">{words.onTheGateway}</Text>
          <Code block style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>{command}</Code>
          <Group><Button size="xs" variant="default" onClick={close}>{words.done}</Button></Group>
        </Stack>
      </Group>
    </Alert>
  );
}
