import { Alert, Anchor, Button, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { api, data, done, type Session } from "../api/client";
import { useTexts } from "../i18n/language";
import { said, wordOf } from "../said";
import { useTitle } from "../useTitle";
import { showPasskey } from "./passkeys";
import { SecondFactor } from "./SecondFactor";
import { changeSession, SESSION_KEY } from "./session";
import { Threshold } from "./Threshold";

/** Where the provider sends the browser back to: it signs in, or connects the identity of whoever is signed in already. */
export function ProviderPage({ session }: { session: Session | null }) {
  const texts = useTexts();
  const words = texts.people;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const [totp, setTotp] = useState("");
  const answer = { code: params.get("code") ?? "", state: params.get("state") ?? "" };
  useTitle(words.signIn);
  const come = useMutation({
    mutationFn: async (second: "none" | "code" | "passkey") => {
      if (session) {
        await done(api.PUT("/api/v1/account/provider", { body: answer }));
        return null;
      }
      const body = second === "none" ? { answer } : second === "code" ? { totp } : { passkey: await showPasskey() };
      return data(api.POST("/api/v1/sessions/provider", { body: { totp: "", ...body } }));
    },
    onSuccess: async (fresh) => {
      if (fresh) changeSession(queries, fresh);
      else await queries.invalidateQueries({ queryKey: SESSION_KEY });
      void navigate(fresh && !fresh.authenticator_missing ? "/" : "/account", { replace: true });
    },
  });
  // The answer is good once: it is given as soon as the page is there, and never twice.
  const given = useRef(false);
  const { mutate } = come;
  useEffect(() => {
    if (given.current || !answer.code) return;
    given.current = true;
    mutate("none");
  });
  const word = wordOf(come.error);
  return (
    <Threshold title={words.signIn} submit={() => mutate(word === "passkey_needed" ? "passkey" : "code")}>
      {come.isPending && <Text role="status">{texts.loading}</Text>}
      {!answer.code && <Alert color="red" role="alert">{words.providerDeclined}</Alert>}
      {come.isError && <Alert color={word.endsWith("_needed") ? "blue" : "red"} role="alert">{said(come.error, texts, words.refused)}</Alert>}
      {(word === "code_needed" || (word === "sign_in_refused" && totp)) && <SecondFactor value={totp} change={setTotp} />}
      {word.endsWith("_needed") && <Button type="submit">{word === "passkey_needed" ? words.goOnWithPasskey : words.signIn}</Button>}
      {(!answer.code || (come.isError && !word.endsWith("_needed"))) && <Anchor component={Link} to={session ? "/account" : "/"}>{session ? texts.account.title : words.backToSignIn}</Anchor>}
    </Threshold>
  );
}
