import { Alert, Button, Code, CopyButton, Group, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useTexts } from "./i18n/language";

/** A secret that is kept nowhere, until whoever made it says that he has it. */
export function ShownOnce({ picture, children, close }: { picture?: ReactNode; children: ReactNode; close: () => void }) {
  const words = useTexts().shownOnce;
  return (
    <Alert color="blue" mt="sm" title={words.title} role="status">
      <Group align="flex-start" gap="md">
        {picture}
        <Stack gap="xs" style={{ flex: "1 1 14rem", minWidth: 0 }}>
          {children}
          <Group><Button size="xs" variant="default" onClick={close}>{words.done}</Button></Group>
        </Stack>
      </Group>
    </Alert>
  );
}

/** Text to be taken away, with a button that does it where the browser allows that. */
export function Copied({ label, text, code }: { label?: string; text: string; code?: string }) {
  const words = useTexts().shownOnce;
  return (
    <div>
      {label && <Text size="sm">{label}</Text>}
      <Group gap="xs" wrap="nowrap" align="center">
        <Code block style={{ flex: 1, minWidth: 0, whiteSpace: "pre-wrap", overflowWrap: "anywhere" }} data-once={code}>{text}</Code>
        {window.isSecureContext && (
          <CopyButton value={text}>
            {({ copied, copy }) => <Button size="xs" variant="default" onClick={copy} style={{ flexShrink: 0 }}>{copied ? words.copied : words.copy}</Button>}
          </CopyButton>
        )}
      </Group>
    </div>
  );
}
