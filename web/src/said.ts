/** What the server refuses, in the reader's words. Pure. */
import { ProblemError } from "./api/client";
import type { Texts } from "./i18n/en";

/** Words that say too little without the server's sentence about the case, which is in English. */
const NEEDS_DETAIL = new Set(["conflict", "bad_request", "body_invalid", "parameter_invalid", "not_allowed", "profile_invalid", "arguments_invalid"]);

/** The server's word for what went wrong; "" when it gave none. */
export function wordOf(error: Error | null): string {
  return error instanceof ProblemError ? error.word : "";
}

/** words: of problems that mean something special at this place, before the general ones. */
export function said(error: Error, texts: Texts, words: Partial<Record<string, string>> = {}): string {
  if (error instanceof DOMException && error.name !== "AbortError") return texts.people.passkeyGivenUp;
  if (!(error instanceof ProblemError)) return texts.unreachable;
  const special = words[error.word];
  if (special) return special;
  const general = texts.problems[error.word];
  if (!general) return error.message;
  return NEEDS_DETAIL.has(error.word) ? `${general} (${error.message})` : general;
}
