/** Passkeys, as this browser makes and shows them. */
import { api, data, type Passkey } from "../api/client";

/** Whether this browser knows them, here: browsers have them only at https and at localhost. */
export function knowsPasskeys(): boolean {
  return typeof PublicKeyCredential !== "undefined" && "parseCreationOptionsFromJSON" in PublicKeyCredential;
}

/** A new one of whoever is signed in. Throws ProblemError, DOMException when the browser's question was not answered. */
export async function makePasskey(name: string): Promise<Passkey> {
  const { public_key } = await data(api.POST("/api/v1/account/passkeys/options"));
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(public_key as unknown as PublicKeyCredentialCreationOptionsJSON);
  const credential = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential;
  return data(api.POST("/api/v1/account/passkeys", { body: { name, credential: credential.toJSON() } }));
}

/** The browser's answer with one that it has. Throws ProblemError, DOMException. */
export async function showPasskey() {
  const { public_key } = await data(api.POST("/api/v1/sessions/passkey/options"));
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(public_key as unknown as PublicKeyCredentialRequestOptionsJSON);
  const credential = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
  return credential.toJSON();
}
