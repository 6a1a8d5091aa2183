import { Alert, Button, Center, Loader, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useTexts } from "./i18n/language";

/** Nothing is there, and what to do about it. */
export function Empty({ text, next }: { text: string; next?: ReactNode }) {
  return (
    <Center mih={160}>
      <Stack gap={4} align="center">
        <Text fw={600}>{text}</Text>
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
        <Text size="sm">{error.message}</Text>
        <Button size="xs" variant="light" color="red" onClick={retry}>{texts.retry}</Button>
      </Stack>
    </Alert>
  );
}
