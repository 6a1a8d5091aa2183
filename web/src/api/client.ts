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
export type OpenSession = Schemas["OpenSession"];
export type User = Schemas["User"];
export type Grant = Schemas["GrantBody"];
export type Role = Grant["role"];
export type Passkey = Schemas["Passkey"];
export type Invitation = Schemas["Invitation"];
export type NewInvitation = Schemas["NewInvitation"];
export type Token = Schemas["cloud_api__people__schema__Token"];
export type NewToken = Schemas["NewToken"];
export type Approval = Schemas["Approval"];
export type ApprovalBody = Schemas["ApprovalBody"];
export type AuditEntry = Schemas["AuditEntry"];
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

  /** The stable word at the type's end: "not_found". */
  get word(): string {
    return this.type.split("/").pop() ?? "";
  }
}

/** The data of an answer. Throws ProblemError with the problem's own words. */
export async function data<T>(answer: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  const { data, error } = await answer;
  if (data !== undefined) return data;
  throw problemOf(error);
}

/** For an answer without a body. Throws ProblemError with the problem's own words. */
export async function done(answer: Promise<{ error?: unknown; response: Response }>): Promise<void> {
  const { error, response } = await answer;
  if (!response.ok) throw problemOf(error);
}

function problemOf(error: unknown): ProblemError {
  const problem = (error ?? {}) as { title?: string; detail?: string; type?: string };
  return new ProblemError(problem.detail ?? problem.title ?? "The server did not answer.", problem.type ?? "");
}
