"""A charge point's times: what they say, and whether they can be true. Pure."""

from datetime import UTC, datetime
from typing import NamedTuple

from edge_agent.clock import FLOOR_MS

AHEAD_MS_MAX = 5 * 60_000
"""A charge point's clock is set by our answers; a time further ahead than this is not one that it has had from us."""


class Moment(NamedTuple):
    """When something happened. ``said_ms`` is the charge point's word, None when it can't be read as a time.

    at_ms  its word where that is possible, else the time of arrival; unsure: it is not its word
    """

    at_ms: int
    unsure: bool
    said_ms: int | None


def moment(text: object, now_ms: int) -> Moment:
    """What a charge point's timestamp (RFC 3339) says, as far as it can be true at ``now_ms``."""
    try:
        said = datetime.fromisoformat(str(text))
        said_ms = round((said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return Moment(now_ms, True, None)
    possible = FLOOR_MS <= said_ms <= now_ms + AHEAD_MS_MAX
    return Moment(said_ms if possible else now_ms, not possible, said_ms)


def written(at_ms: int) -> str:
    """A time as OCPP writes it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
