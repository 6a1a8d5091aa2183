import { Alert, Badge, Button, Card, Group, Modal, NumberInput, Progress, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, type Command, type Device, type VerbWord } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import type { LiveStream } from "../live/stream";
import { shownAge, shownUnit } from "../reading/format";
import type { VocabularyOf } from "../vocabulary/useVocabulary";
import { colorOf, further, hasEnded, percentOf } from "./progress";

interface Props {
  device: Device;
  deviceName: string;
  stream: LiveStream | null;
  vocabulary: VocabularyOf;
  gatewayOnline: boolean;
}

type Args = Record<string, number>;

/** What a device can be told, and how far what it was told really is. */
export function CommandPanel({ device, deviceName, stream, vocabulary, gatewayOnline }: Props) {
  const texts = useTexts();
  const queries = useQueryClient();
  const recent = useQuery({
    queryKey: ["commands", device.id],
    queryFn: () => data(api.GET("/api/v1/commands", { params: { query: { device: device.id, limit: 5 } } })),
    refetchInterval: (query) => (query.state.data?.items.some((command) => !hasEnded(command.state)) ? 1000 : 15_000),
  });
  const send = useMutation({
    mutationFn: ({ verb, args, key }: { verb: string; args: Args; key: string }) =>
      data(
        api.POST("/api/v1/devices/{device_id}/commands", {
          params: { path: { device_id: device.id }, header: { "Idempotency-Key": key } },
          body: { verb, args },
        }),
      ),
    retry: 2, // with the same key: it never acts twice
    onSuccess: () => queries.invalidateQueries({ queryKey: ["commands", device.id] }),
  });
  const [asking, setAsking] = useState<{ verb: VerbWord; args: Args } | null>(null);
  const label = (verb: VerbWord) => vocabulary.label(verb.name);
  const order = (verb: VerbWord, args: Args) => send.mutate({ verb: verb.name, args, key: crypto.randomUUID() });
  const verbs = device.verbs.map((name) => vocabulary.verb(name)).filter((verb) => verb !== undefined);
  const commands = (recent.data?.items ?? []).map((command) => further(command, stream?.command(command.id)) ?? command);
  return (
    <Card withBorder padding="sm" component="section" aria-label={texts.commands}>
      <Title order={2} size="h4" mb="xs">{texts.commands}</Title>
      {verbs.length === 0 && <Text c="dimmed">{texts.noVerbs}</Text>}
      {verbs.length > 0 && !gatewayOnline && <Alert color="orange" mb="xs">{texts.gatewayOffline}</Alert>}
      <Group gap="sm" align="flex-end">
        {verbs.map((verb) => (
          <VerbControl key={verb.name} verb={verb} label={label(verb)} busy={send.isPending} order={(args) => (verb.safety_relevant ? setAsking({ verb, args }) : order(verb, args))} />
        ))}
      </Group>
      {send.isError && <Alert color="red" mt="xs" role="alert">{send.error.message}</Alert>}
      {verbs.length > 0 && (
        <Stack gap="xs" mt="md" aria-live="polite">
          <Title order={3} size="h6">{texts.recent}</Title>
          {commands.length === 0 && <Text size="sm" c="dimmed">{texts.noRecent}</Text>}
          {commands.map((command) => <Row key={command.id} command={command} label={vocabulary.label(command.verb)} />)}
        </Stack>
      )}
      <Modal opened={asking !== null} onClose={() => setAsking(null)} title={texts.confirmTitle} centered>
        {asking && (
          <Stack>
            <Text>{texts.confirmText(label(asking.verb), deviceName)}</Text>
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setAsking(null)}>{texts.cancel}</Button>
              <Button color="red" data-autofocus onClick={() => { order(asking.verb, asking.args); setAsking(null); }}>{texts.confirmDo}</Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </Card>
  );
}

function VerbControl({ verb, label, busy, order }: { verb: VerbWord; label: string; busy: boolean; order: (args: Args) => void }) {
  const { language } = useLanguage();
  const [values, setValues] = useState<Record<string, number | string>>(() => Object.fromEntries(verb.arguments.map((argument) => [argument.name, Math.round((argument.low + argument.high) / 2)])));
  const complete = verb.arguments.every((argument) => {
    const value = values[argument.name];
    return typeof value === "number" && value >= argument.low && value <= argument.high;
  });
  return (
    <Group gap={6} align="flex-end" wrap="nowrap">
      {verb.arguments.map((argument) => (
        <NumberInput
          key={argument.name}
          label={`${argument.label[language]} (${shownUnit(argument.unit)})`}
          min={argument.low}
          max={argument.high}
          value={values[argument.name] ?? ""}
          onChange={(value) => setValues((before) => ({ ...before, [argument.name]: value }))}
          w={120}
        />
      ))}
      <Button variant="light" color={verb.safety_relevant ? "red" : "cyan"} disabled={!complete || busy} onClick={() => order(values as Args)}>{label}</Button>
    </Group>
  );
}

function Row({ command, label }: { command: Command; label: string }) {
  const texts = useTexts();
  const args = Object.values(command.args).join(", ");
  const begun = command.transitions[0]?.at_ms ?? command.created_ms;
  return (
    <div data-command={command.id} data-state={command.state}>
      <Group justify="space-between" gap={6}>
        <Text size="sm" fw={600}>{label}{args && ` (${args})`}</Text>
        <Badge color={colorOf(command.state)} variant="light" tt="none">{texts.state[command.state] ?? command.state}</Badge>
      </Group>
      <Progress value={percentOf(command.state)} color={colorOf(command.state)} size="sm" animated={!hasEnded(command.state)} aria-label={texts.state[command.state] ?? command.state} my={4} />
      <Text size="xs" c="dimmed">{command.reason && `${command.reason} · `}{shownAge(Date.now() - begun, texts)}</Text>
    </div>
  );
}
