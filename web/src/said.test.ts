import { describe, expect, it } from "vitest";
import { ProblemError } from "./api/client";
import { en } from "./i18n/en";
import { zh } from "./i18n/zh";
import { said } from "./said";

const problem = (word: string) => new ProblemError("there is no device 'x'", `https://linli.invalid/problems/${word}`);

describe("what the server refuses", () => {
  it("is in the reader's language", () => {
    expect(said(problem("not_found"), en)).toBe("there is no device 'x'");
    expect(said(problem("not_found"), zh)).toBe(zh.problems.not_found);
    expect(said(problem("conflict"), zh)).toContain("there is no device 'x'");
    expect(said(problem("not_found"), zh, { not_found: "没有" })).toBe("没有");
  });
  it("is not the browser's when nothing was answered", () => {
    expect(said(new TypeError("Failed to fetch"), zh)).toBe(zh.unreachable);
  });
});
