import { Code, Text } from "@mantine/core";
import type { NewClaim } from "../api/client";
import { useLanguage } from "../i18n/language";
import { shownTime } from "../reading/format";
import { Copied, ShownOnce } from "../ShownOnce";

/** A new claim's code, as text and as a QR picture. */
export function ShownClaim({ claim, close }: { claim: NewClaim; close: () => void }) {
  const { language, texts } = useLanguage();
  const words = texts.claims;
  const picture = <img src={`data:image/svg+xml;utf8,${encodeURIComponent(claim.qr_svg)}`} alt={words.picture} width={180} height={180} style={{ background: "#fff", padding: 8 }} />;
  return (
    <ShownOnce picture={picture} close={close}>
      <Text fw={600}>{claim.gateway_id}</Text>
      <Code block style={{ fontSize: "1.05rem", whiteSpace: "pre-wrap", overflowWrap: "anywhere" }} data-claim={claim.id}>{claim.code}</Code>
      <Text size="sm">{words.until(shownTime(claim.expires_ms, language))}</Text>
      <Copied label={words.onTheGateway} text={`sudo edge-agent provision '${claim.link}'`} />
    </ShownOnce>
  );
}
