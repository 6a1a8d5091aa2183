import createClient from "openapi-fetch";
import type { components, paths } from "./schema.gen";

/** No page of another site can send this without being asked about it: what changes something needs it. */
export const OWN = { "X-Requested-With": "linli" };

export const api = createClient<paths>({ baseUrl: "", headers: OWN });

type Schemas = components["schemas"];
export type Community = Schemas["Community"];
export type Device = Schemas["Device"];
export type Gateway = Schemas["Gateway"];
export type GatewayWord = Schemas["GatewayWord"];
export type Ledger = Schemas["Ledger"];
export type LedgerEpoch = Schemas["LedgerEpoch"];
export type RefusedMessage = Schemas["RefusedMessage"];
export type Command = Schemas["Command"];
export type MetricState = Schemas["MetricState"];
export type MetricWord = Schemas["MetricWord"];
export type Selection = Schemas["Selection"];
export type VerbWord = Schemas["VerbWord"];
export type BilingualName = Schemas["BilingualName"];
export type ProfileVersion = Schemas["ProfileVersion"];
export type Discovery = Schemas["Discovery"];
export type Proposal = Schemas["Proposal"];
export type Point = Schemas["Point"];
export type Availability = Schemas["Availability"];
export type Finding = Schemas["Finding"];
export type Bin = Schemas["Bin"];
export type SiteCharging = Schemas["SiteCharging"];
export type SiteChargingBody = Schemas["SiteChargingBody"];
export type Claim = Schemas["Claim"];
export type NewClaim = Schemas["NewClaim"];
export type Refusal = Schemas["Refusal"];
export type Certificate = Schemas["Certificate"];
export type Session = Schemas["Session"];
export type Kind = Device["kind"];
export type Value = MetricState["value"];

/** What a problem document says, as an Error for whoever asked. */
export class ProblemError extends Error {
  constructor(
    message: string,
    readonly type: string,
  ) {
    super(message);
  }
}

/** The data of an answer. Throws ProblemError with the problem's own words. */
export async function data<T>(answer: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  const { data, error } = await answer;
  if (data !== undefined) return data;
  const problem = (error ?? {}) as { title?: string; detail?: string; type?: string };
  throw new ProblemError(problem.detail ?? problem.title ?? "The server did not answer.", problem.type ?? "");
}
