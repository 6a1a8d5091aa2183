"""What a check has found, and what an installer does next."""

from typing import Literal, NamedTuple

Verdict = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One line of the doctor's report. then: what to do next, "" when all is well."""

    check: str
    verdict: Verdict
    text: str
    then: str = ""
