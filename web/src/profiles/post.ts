import { OWN, ProblemError } from "../api/client";

/** where: as the server says it; line from 1, key "" where it is the whole document. */
export interface Fault {
  where: string;
  line: number;
  key: string;
  message: string;
}

export interface Answer {
  kept: string;
  faults: Fault[];
}

/** Keep a version: what was kept, or what is wrong with it. Throws ProblemError for everything else. */
export async function postProfile(document: string): Promise<Answer> {
  const answer = await fetch("/api/v1/profiles", { method: "POST", headers: { ...OWN, "Content-Type": "application/yaml" }, body: document });
  const said = (await answer.json()) as { id?: string; version?: number; type?: string; detail?: string; errors?: { where: string; message: string }[] };
  if (answer.ok) return { kept: `${said.id ?? ""} ${said.version ?? ""}`, faults: [] };
  if (!said.type?.endsWith("profile_invalid")) throw new ProblemError(said.detail ?? "", said.type ?? "");
  return { kept: "", faults: (said.errors ?? []).map(readFault) };
}

/** "line 9: examples[0]" to its parts. */
export function readFault({ where, message }: { where: string; message: string }): Fault {
  const [, line = "1", key = ""] = /^line (\d+)(?:: (.*))?$/.exec(where) ?? [];
  return { where, line: Number(line), key, message };
}
