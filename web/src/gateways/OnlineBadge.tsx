import { Badge } from "@mantine/core";
import { useTexts } from "../i18n/language";

/** Sign, colour and word say the same. */
export function OnlineBadge({ online }: { online: boolean }) {
  const texts = useTexts();
  return (
    <Badge color={online ? "teal" : "red"} variant="light" tt="none" style={{ flexShrink: 0 }}>
      {online ? "●" : "✕"} {online ? texts.online : texts.offline}
    </Badge>
  );
}
