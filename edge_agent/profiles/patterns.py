"""Regular expressions of profiles that can't run away: what could go back and forth without end is refused at load.

Python's ``re`` tries one way after the other and can't be stopped. So the ways are counted before: the product of what
each repetition, option and alternative may choose, for a text of TEXT_LENGTH_MAX characters, is at most WAYS_MAX. A
possessive repetition (``\\d++``) does not go back and counts nothing.
"""

import re

TEXT_LENGTH_MAX = 256
WAYS_MAX = 1 << 25
_TOKEN = re.compile(
    r"(?P<open>\((?:\?P<[A-Za-z_]\w*>|\?:|(?!\?)))|(?P<close>\))|(?P<or>\|)"
    r"|(?P<repeat>[*+?]|\{\d*(?:,\d*)?\})(?P<mode>[+?]?)"
    r"|(?P<atom>\[\^?\]?(?:\\.|[^\]\\])*\]|\\[^0-9]|[^\\()|*+?{\[])"
)


class _Group:
    def __init__(self) -> None:
        self.ways = 1  # of the branches before
        self.branch = 1  # of this branch
        self.last = 1  # of the last atom or group


def compile_pattern(text: str) -> re.Pattern[str]:
    """The pattern. Raises ValueError when it is none, or one that may take too long."""
    pattern = re.compile(text)
    stack = [_Group()]
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError(f"pattern {text!r}: {text[place : place + 8]!r} can't be used here")
        place = token.end()
        group = stack[-1]
        if token["open"]:
            stack.append(_Group())
        elif token["close"]:
            done = stack.pop()
            stack[-1].last = done.ways + done.branch - 1
            stack[-1].branch *= stack[-1].last
        elif token["or"]:
            group.ways += group.branch
            group.branch = group.last = 1
        elif token["repeat"]:
            choices, many = _choices(token["repeat"])
            if many and group.last > 1:
                raise ValueError(f"pattern {text!r}: a repetition of what may itself be read in several ways")
            if token["mode"] != "+":
                group.branch *= choices
                group.last *= choices
        else:
            group.last = 1
        if group.branch > WAYS_MAX or group.ways > WAYS_MAX or stack[-1].branch > WAYS_MAX:
            raise ValueError(
                f"pattern {text!r}: too many repetitions that may be read in several ways; use '++' or '*+'"
            )
    return pattern


def _choices(repeat: str) -> tuple[int, bool]:
    """(Between how many lengths a repetition chooses, whether it repeats at all)."""
    if repeat == "?":
        return 2, False
    if repeat in "*+":
        return TEXT_LENGTH_MAX, True
    least, comma, most = repeat[1:-1].partition(",")
    low = int(least or 0)
    high = min(int(most) if most else TEXT_LENGTH_MAX if comma else low, TEXT_LENGTH_MAX)
    return max(high - low, 0) + 1, high > 1
