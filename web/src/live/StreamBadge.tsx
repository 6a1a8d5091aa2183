import { Badge } from "@mantine/core";
import { useTexts } from "../i18n/language";
import type { LiveStream } from "./stream";

/** Whether what is shown is live. */
export function StreamBadge({ stream }: { stream: LiveStream | null }) {
  const texts = useTexts();
  const link = stream?.link ?? "connecting";
  const look = {
    live: { color: "teal", variant: "light", text: `● ${texts.streamLive}` },
    connecting: { color: "gray", variant: "light", text: texts.streamConnecting },
    lost: { color: "orange.9", variant: "filled", text: `▲ ${texts.streamLost}` },
  }[link];
  return (
    <Badge color={look.color} variant={look.variant} role="status" size="lg" tt="none" className="steady">
      {look.text}
    </Badge>
  );
}
