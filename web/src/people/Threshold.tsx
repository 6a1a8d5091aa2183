import { Card, Center, Stack, Title } from "@mantine/core";
import type { FormEvent, ReactNode } from "react";

/** The form at which somebody comes in. */
export function Threshold({ title, submit, children }: { title: string; submit: () => void; children: ReactNode }) {
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    submit();
  };
  return (
    <Center mih="70vh">
      <Card withBorder w="100%" maw={400} p="lg" component="section" aria-labelledby="threshold">
        <form onSubmit={onSubmit}>
          <Stack gap="sm">
            <Title order={1} size="h3" id="threshold">{title}</Title>
            {children}
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
