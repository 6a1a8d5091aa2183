import { Alert, Button, Center, Loader, Stack, Text, type TextProps } from "@mantine/core";
import type { ReactNode } from "react";
import { useTexts } from "./i18n/language";
import { said } from "./said";

/** Nothing is there, and what to do about it. page: it is all there is on the page, so it is its heading. */
export function Empty({ text, next, page = false }: { text: string; next?: ReactNode; page?: boolean }) {
  return (
    <Center mih={160}>
      <Stack gap={4} align="center">
        <Text fw={600} ta="center" {...(page && { component: "h1", m: 0 })}>{text}</Text>
        {next && <Text c="dimmed" ta="center" component="div">{next}</Text>}
      </Stack>
    </Center>
  );
}

export function Loading() {
  const texts = useTexts();
  return (
    <Center mih={160} role="status" aria-label={texts.loading}>
      <Loader />
    </Center>
  );
}

/** A query failed: its words, and another try. */
export function Failed({ error, retry }: { error: Error; retry: () => void }) {
  const texts = useTexts();
  return (
    <Alert color="red" title={texts.failed} my="md">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">{said(error, texts)}</Text>
        <Button size="xs" variant="light" color="red" onClick={retry}>{texts.retry}</Button>
      </Stack>
    </Alert>
  );
}

/** What was asked for was refused: the server's word, in the reader's. words: for words that mean something special here. */
export function Refused({ error, words, ...place }: { error: Error; words?: Partial<Record<string, string>> } & Pick<TextProps, "mt" | "mb">) {
  const texts = useTexts();
  return <Text size="sm" role="alert" style={{ overflowWrap: "anywhere" }} {...place}>⚠ {said(error, texts, words)}</Text>;
}

