import { Alert, Badge, Button, Card, Group, Modal, NumberInput, Progress, Stack, Text, Title, VisuallyHidden } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data, ProblemError, type Approval, type Command, type Device, type Selection, type VerbWord } from "../api/client";
import { AskModal } from "../approvals/AskModal";
import { OwnApprovals } from "../approvals/OwnApprovals";
import { orderOf } from "../approvals/present";
import { APPROVALS, useAsk, useOwnApprovals } from "../approvals/useApprovals";
import { useLanguage, useTexts } from "../i18n/language";
import type { LiveStream, Metrics } from "../live/stream";
import { shownAge, shownTime, shownUnit } from "../reading/format";
import { said } from "../said";
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
interface Order {
  verb: string;
  args: Args;
  selection?: string | undefined;
  approval?: string | undefined;
}
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
    mutationFn: ({ verb, args, key, selection, approval }: Order & { key: string }) =>
      data(
        api.POST("/api/v1/devices/{device_id}/commands", {
          params: { path: { device_id: device.id }, header: { "Idempotency-Key": key } },
          body: { verb, args, ...(selection && { selection }), ...(approval && { approval }) },
        }),
      ),
    // With the same key, so it never acts twice; what the server has refused it would refuse again.
    retry: (count, error) => count < 2 && !(error instanceof ProblemError),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: ["commands", device.id] }), queries.invalidateQueries({ queryKey: APPROVALS })]),
  });
  const [asking, setAsking] = useState<{ verb: VerbWord; selection: Selection; approval: Approval | undefined } | null>(null);
  // What takes two people is asked for first, and done once somebody else has allowed it.
  const [wanted, want] = useState<{ verb: VerbWord; args: Args } | null>(null);
  const ask = useAsk();
  const approvals = useOwnApprovals("command", device.id);
  // The first of two steps: what is done holds only for what the device says now.
  const select = useMutation({
    mutationFn: ({ verb, args }: { verb: VerbWord; args: Args; approval?: Approval }) =>
      data(
        api.POST("/api/v1/devices/{device_id}/selections", {
          params: { path: { device_id: device.id } },
          body: { verb: verb.name, args },
        }),
      ),
    onSuccess: (selection, { verb, approval }) => { send.reset(); setAsking({ verb, selection, approval }); },
  });
  const label = (verb: VerbWord) => vocabulary.label(verb.name);
  const order = (what: Order) => send.mutate({ ...what, key: newKey() });
  const begin = (verb: VerbWord, args: Args) => {
    if (verb.second_person) want({ verb, args });
    else if (verb.safety_relevant) select.mutate({ verb, args });
    else order({ verb: verb.name, args });
  };
  const goOn = (approval: Approval) => {
    const { verb: name, args } = orderOf(approval);
    const verb = vocabulary.verb(name);
    if (verb) select.mutate({ verb, args, approval });
  };
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
          <VerbControl key={verb.name} verb={verb} label={label(verb)} metrics={metrics} busy={send.isPending || select.isPending} order={(args) => begin(verb, args)} />
        ))}
      </Group>
      {failure && <Alert color="red" mt="xs" role="alert">{said(failure, texts)}</Alert>}
      <OwnApprovals approvals={approvals} whatOf={(approval) => inWords(approval, vocabulary)} isBusy={select.isPending} act={goOn} />
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
            {asking.approval && <Text size="sm">{texts.approvals.allowedBy(asking.approval.decided_by_name)}</Text>}
            <Group justify="flex-end">
              <Button variant="default" data-autofocus onClick={() => setAsking(null)}>{texts.cancel}</Button>
              <Button color="red" onClick={() => { order({ verb: asking.verb.name, args: asking.selection.args as Args, selection: asking.selection.id, approval: asking.approval?.id }); setAsking(null); }}>{texts.confirmDo}</Button>
            </Group>
          </Stack>
        )}
      </Modal>
      {wanted && (
        <AskModal
          what={`${label(wanted.verb)} · ${deviceName}`} error={ask.error} isBusy={ask.isPending} close={() => { ask.reset(); want(null); }}
          ask={(reason) => ask.mutate({ action: "command", target: device.id, request: { verb: wanted.verb.name, args: wanted.args }, reason }, { onSuccess: () => want(null) })}
        />
      )}
    </Card>
  );
}

function inWords(approval: Approval, vocabulary: VocabularyOf): string {
  const { verb, args } = orderOf(approval);
  return [vocabulary.label(verb), ...Object.values(args)].join(" ");
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
