import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTexts } from "../i18n/language";
import { Refused } from "../Notice";

interface Props {
  /** What is to be done, in words. */
  what: string;
  error: Error | null;
  isBusy: boolean;
  ask: (reason: string) => void;
  close: () => void;
}

/** Why a second person should allow it. */
export function AskModal({ what, error, isBusy, ask, close }: Props) {
  const texts = useTexts();
  const words = texts.approvals;
  const [reason, say] = useState("");
  return (
    <Modal opened onClose={close} title={words.askTitle} centered>
      <form onSubmit={(event) => { event.preventDefault(); ask(reason.trim()); }}>
        <Stack>
          <Text fw={600}>{what}</Text>
          <Text size="sm">{words.askText}</Text>
          <TextInput label={words.reason} required data-autofocus maxLength={300} value={reason} onChange={(event) => say(event.currentTarget.value)} />
          {error && <Refused error={error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>{texts.cancel}</Button>
            <Button type="submit" disabled={!reason.trim()} loading={isBusy}>{words.ask}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
