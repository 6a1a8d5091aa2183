"""The states of a command at the gateway. All that moves a state is in this table."""

from collections.abc import Mapping

NEXT: Mapping[str, frozenset[str]] = {
    "": frozenset({"received", "rejected", "expired"}),
    "received": frozenset({"executing", "rejected", "expired", "cancelled"}),
    "executing": frozenset({"succeeded", "failed", "unknown"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "rejected": frozenset(),
    "expired": frozenset(),
    "cancelled": frozenset(),
    "unknown": frozenset(),
}
FINAL = frozenset(state for state, following in NEXT.items() if not following)


class IllegalTransition(Exception):
    """Our own mistake: the table does not allow it."""


def move(state: str, to: str) -> str:
    """The new state. Raises IllegalTransition and changes nothing when the table does not allow it."""
    if to not in NEXT[state]:
        raise IllegalTransition(f"{state or 'new'} -> {to}")
    return to


def after_restart(state: str) -> str:
    """What a command is when the agent finds it after a crash.

    ``executing`` was written before the act, so whether the device was told is not known: ``unknown``, never done again.
    ``received`` had not begun, and its time to live was counted by a clock that is gone: ``expired``.
    """
    return {"executing": "unknown", "received": "expired"}.get(state, state)
