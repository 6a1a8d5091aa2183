"""What a check has found, and what an installer does next."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Verdict = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One line of the doctor's report. then: what to do next, "" when all is well."""

    check: str
    verdict: Verdict
    text: str
    then: str = ""


EXIT_CODES = {"clock": 27, "certificate": 40, "name": 20, "port": 21, "TLS": 25, "MQTT": 42, "identity": 43}
"""The last word of a check -> the doctor's exit code when it is the first that fails, as `edge-agent provision` has them;
1 for all others."""


def exit_code(findings: Sequence[Finding]) -> int:
    """0 while nothing fails."""
    failed = next((each for each in findings if each.verdict == "fail"), None)
    return EXIT_CODES.get(failed.check.split()[-1], 1) if failed else 0
