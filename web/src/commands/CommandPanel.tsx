import { Alert, Badge, Button, Card, Group, Modal, NumberInput, Progress, Stack, Text, Title, VisuallyHidden } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, ProblemError, type Command, type Device, type Selection, type VerbWord } from "../api/client";
import { useLanguage, useTexts } from "../i18n/language";
import type { LiveStream, Metrics } from "../live/stream";
import { shownAge, shownTime, shownUnit } from "../reading/format";
import type { VocabularyOf } from "../vocabulary/useVocabulary";
import { colorOf, hasEnded, merged, percentOf } from "./progress";

interface Props {
  device: Device;
  deviceName: string;
  stream: LiveStream | null;
  vocabulary: VocabularyOf;
  metrics: Metrics;
  gatewayOnline: boolean;
  nowMs: number;
}

type Args = Record<string, number>;
const RECENT = 5;

/** An argument starts at what is set now, where a metric says so. */
const SET_NOW: Record<string, string> = { temperature: "setpoint_temperature", current: "current_offered" };

/** A key nobody else makes. Not crypto.randomUUID: browsers give it to https and localhost only. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What a device can be told, and how far what it was told really is. */
export function CommandPanel({ device, deviceName, stream, vocabulary, metrics, gatewayOnline, nowMs }: Props) {
  const texts = useTexts();
  const queries = useQueryClient();
  const recent = useQuery({
    queryKey: ["commands", device.id],
    queryFn: () => data(api.GET("/api/v1/commands", { params: { query: { device: device.id, limit: RECENT } } })),
    refetchInterval: (query) => (query.state.data?.items.some((command) => !hasEnded(command, nowMs)) ? 1000 : 15_000),
  });
  const send = useMutation({
    mutationFn: ({ verb, args, key, selection }: { verb: string; args: Args; key: string; selection: string | undefined }) =>
      data(
        api.POST("/api/v1/devices/{device_id}/commands", {
          params: { path: { device_id: device.id }, header: { "Idempotency-Key": key } },
          body: { verb, args, ...(selection && { selection }) },
        }),
      ),
    // With the same key, so it never acts twice; what the server has refused it would refuse again.
    retry: (count, error) => count < 2 && !(error instanceof ProblemError),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["commands", device.id] }),
  });
  const [asking, setAsking] = useState<{ verb: VerbWord; selection: Selection } | null>(null);
  // The first of two steps: what is done holds only for what the device says now.
  const select = useMutation({
    mutationFn: ({ verb, args }: { verb: VerbWord; args: Args }) =>
      data(
        api.POST("/api/v1/devices/{device_id}/selections", {
          params: { path: { device_id: device.id } },
          body: { verb: verb.name, args },
        }),
      ),
    onSuccess: (selection, { verb }) => { send.reset(); setAsking({ verb, selection }); },
  });
  const label = (verb: VerbWord) => vocabulary.label(verb.name);
  const order = (verb: VerbWord, args: Args, selection?: string) => send.mutate({ verb: verb.name, args, key: newKey(), selection });
  const failure = select.error ?? send.error;
  const verbs = device.verbs.map((name) => vocabulary.verb(name)).filter((verb) => verb !== undefined);
  const commands = merged(recent.data?.items ?? [], stream?.commandsOf(device.id) ?? [], RECENT);
  const newest = commands[0];
  return (
    <Card withBorder padding="sm" component="section" aria-label={texts.commands}>
      <Title order={2} size="h4" mb="xs">{texts.commands}</Title>
      {verbs.length === 0 && <Text c="dimmed">{texts.noVerbs}</Text>}
      {verbs.length > 0 && !gatewayOnline && <Alert color="orange" mb="xs">{texts.gatewayOffline}</Alert>}
      <Group gap="sm" align="flex-end">
        {verbs.map((verb) => (
          <VerbControl key={verb.name} verb={verb} label={label(verb)} metrics={metrics} busy={send.isPending || select.isPending} order={(args) => (verb.safety_relevant ? select.mutate({ verb, args }) : order(verb, args))} />
        ))}
      </Group>
      {failure && <Alert color="red" mt="xs" role="alert">{failure.message}</Alert>}
      {verbs.length > 0 && (
        <Stack gap="xs" mt="md">
          {/* Said once a step; the rows below change with every second of their age. */}
          <VisuallyHidden aria-live="polite">
            {newest && `${vocabulary.label(newest.verb)}: ${texts.state[newest.state] ?? newest.state}`}
          </VisuallyHidden>
          <Title order={3} size="h6">{texts.recent}</Title>
          {commands.length === 0 && <Text size="sm" c="dimmed">{texts.noRecent}</Text>}
          {commands.map((command) => <Row key={command.id} command={command} label={vocabulary.label(command.verb)} nowMs={nowMs} />)}
        </Stack>
      )}
      <Modal opened={asking !== null} onClose={() => setAsking(null)} title={texts.confirmTitle} centered>
        {asking && (
          <Stack>
            <Text>{texts.confirmText(label(asking.verb), deviceName)}</Text>
            <Text size="sm" c="dimmed">{texts.selected}</Text>
            {asking.selection.second_person && <Text size="sm">{texts.secondPerson}</Text>}
            <Group justify="flex-end">
              <Button variant="default" data-autofocus onClick={() => setAsking(null)}>{texts.cancel}</Button>
              <Button color="red" onClick={() => { order(asking.verb, asking.selection.args as Args, asking.selection.id); setAsking(null); }}>{texts.confirmDo}</Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </Card>
  );
}

function VerbControl({ verb, label, metrics, busy, order }: { verb: VerbWord; label: string; metrics: Metrics; busy: boolean; order: (args: Args) => void }) {
  const { language } = useLanguage();
  const setNow = (argument: VerbWord["arguments"][number]) => {
    const now = metrics[SET_NOW[argument.name] ?? ""]?.value;
    return typeof now === "number" && now >= argument.low && now <= argument.high ? now : Math.round((argument.low + argument.high) / 2);
  };
  const [chosen, setChosen] = useState<Record<string, number | string>>({});
  const values = Object.fromEntries(verb.arguments.map((argument) => [argument.name, chosen[argument.name] ?? setNow(argument)]));
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
          onChange={(value) => setChosen((before) => ({ ...before, [argument.name]: value }))}
          w={130}
        />
      ))}
      <Button variant="light" color={verb.safety_relevant ? "red" : "cyan"} disabled={!complete || busy} onClick={() => order(values as Args)}>{label}</Button>
    </Group>
  );
}

function Row({ command, label, nowMs }: { command: Command; label: string; nowMs: number }) {
  const { language, texts } = useLanguage();
  const args = Object.values(command.args).join(", ");
  const words = texts.state[command.state] ?? command.state;
  return (
    <div data-command={command.id} data-state={command.state}>
      <Group justify="space-between" gap={6}>
        <Text size="sm" fw={600}>{label}{args && ` (${args})`}</Text>
        <Badge color={colorOf(command.state)} variant="light" tt="none">{words}</Badge>
      </Group>
      <Progress value={percentOf(command.state)} color={colorOf(command.state)} size="sm" animated={!hasEnded(command, nowMs)} aria-label={words} my={4} />
      <Group justify="space-between" gap="0 8px" align="baseline">
        <Text size="xs" c="dimmed">
          {command.transitions.map((step) => `${texts.state[step.state] ?? step.state} ${since(step.at_ms - command.created_ms)}`).join(" → ")}
        </Text>
        <Text size="xs" c="dimmed" component="time" title={shownTime(command.created_ms, language)}>{shownAge(nowMs - command.created_ms, texts)}</Text>
      </Group>
      {command.reason && <Text size="xs" className="doubt">{texts.reasons[command.reason] ?? command.reason}</Text>}
    </div>
  );
}

/** Seconds since it was asked for. Clocks of cloud and gateway differ a little; never less than 0. */
function since(ms: number): string {
  return `+${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}
