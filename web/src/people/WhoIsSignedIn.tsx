import { Button, Menu, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, done, type Session } from "../api/client";
import { useTexts } from "../i18n/language";
import { changeSession, isNobody } from "./session";

/** Who is signed in, as what; and the way out. */
export function WhoIsSignedIn({ session }: { session: Session }) {
  const all = useTexts();
  const texts = all.people;
  const queries = useQueryClient();
  const signOut = useMutation({
    mutationFn: async () => {
      await done(api.DELETE("/api/v1/sessions/current")).catch((error: unknown) => {
        if (!isNobody(error)) throw error;
      });
    },
    onSuccess: () => changeSession(queries, null),
  });
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="subtle" size="compact-md" maw={{ base: 96, sm: 140 }} aria-label={texts.account(session.name)} title={session.name}>
          <Text span truncate>{session.name}</Text>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{session.roles.map((role) => texts.role[role]).join(texts.comma) || texts.noRole}</Menu.Label>
        <Menu.Item component={Link} to="/account">{all.account.title}</Menu.Item>
        <Menu.Item onClick={() => signOut.mutate()} disabled={signOut.isPending}>{texts.signOut}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
