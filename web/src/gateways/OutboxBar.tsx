import { Group, Progress, Text } from "@mantine/core";
import type { GatewayWord } from "../api/client";
import { useTexts } from "../i18n/language";
import { count, fillOf, HOURS_SHORT, shownBytes, shownHours } from "./present";

/** How full a gateway's outbox is, and when it will be full, by its last word. */
export function OutboxBar({ word, online, details = false }: { word: GatewayWord; online: boolean; details?: boolean }) {
  const texts = useTexts();
  const words = texts.gateways;
  const percent = fillOf(word);
  const hours = word.outbox_hours_until_full;
  const isShort = hours != null && hours < HOURS_SHORT;
  const held = words.outboxHeld(shownBytes(word.outbox_bytes), shownBytes(word.outbox_bytes_max));
  return (
    <div>
      <Group justify="space-between" gap="0 8px">
        <Text size="sm">{words.outbox}</Text>
        <Text size="sm" className="steady">{held}</Text>
      </Group>
      <Progress value={percent} color={isShort || percent > 80 ? "orange" : "teal"} size="lg" my={4} aria-label={`${words.outbox} ${held}`} />
      <Text size="sm">{word.buffered_samples > 0 ? words.outboxWaits(count(word.buffered_samples)) : words.outboxClear}</Text>
      {(details || isShort) && (
        <Text size="sm" {...(isShort ? { className: "doubt" } : { c: "dimmed" })}>
          {hours == null ? words.doesNotFill : words.fullIn(shownHours(hours, texts))}
        </Text>
      )}
      {!online && <Text size="xs" c="dimmed">{words.asOf}</Text>}
    </div>
  );
}
