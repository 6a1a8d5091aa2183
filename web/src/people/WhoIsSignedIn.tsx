import { Button, Menu, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, type Session } from "../api/client";
import { useTexts } from "../i18n/language";
import { changeSession } from "./session";

/** Who is signed in, as what; and the way out. */
export function WhoIsSignedIn({ session }: { session: Session }) {
  const texts = useTexts().people;
  const queries = useQueryClient();
  const signOut = useMutation({
    mutationFn: async () => {
      const { error } = await api.DELETE("/api/v1/sessions/current");
      if (error && !error.type.endsWith("/not_signed_in")) throw new Error(error.detail);
    },
    onSuccess: () => changeSession(queries, null),
  });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="subtle" size="compact-md" maw={140} aria-label={texts.account(session.name)} title={session.name}>
          <Text span truncate>{session.name}</Text>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{session.roles.map((role) => texts.role[role]).join(texts.comma) || texts.noRole}</Menu.Label>
        <Menu.Item onClick={() => signOut.mutate()} disabled={signOut.isPending}>{texts.signOut}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
