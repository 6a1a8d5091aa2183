import { Badge } from "@mantine/core";
import { useTexts } from "../i18n/language";
import type { LiveStream } from "./stream";

/** Whether what is shown is live. */
export function StreamBadge({ stream }: { stream: LiveStream | null }) {
  const texts = useTexts();
  const live = stream?.connected ?? false;
  return (
    <Badge color={live ? "teal" : "orange"} variant={live ? "light" : "filled"} role="status" size="lg" tt="none">
      {live ? `● ${texts.streamLive}` : texts.streamLost}
    </Badge>
  );
}
