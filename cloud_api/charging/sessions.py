"""Charging sessions out of what a pile said: its connector's statuses and its energy register. Pure.

Nothing is kept: the same series always gives the same sessions, so restarts of pile, agent or cloud, and readings that
come hours late, change nothing.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

IN_SESSION = frozenset({"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})
OUT_OF_SESSION = frozenset({"Available", "Reserved", "Unavailable"})
"""A fault in the middle of a session does not end it; the car is still there."""
NEW_START_SHARE = 0.5
"""A register that falls to less than this share has begun anew; a smaller step back is energy a meter forgot to keep."""


class Said(NamedTuple):
    """A word or a number at a time, ms UTC."""

    t_ms: int
    value: str | float


class Session(NamedTuple):
    """From a car's coming to its going.

    end_ms      None while it lasts
    energy_wh   by the register's differences; None without two register values
    charging_ms how long energy could flow (status Charging)
    resets      how often the register fell meanwhile: the energy is then at least this
    """

    begin_ms: int
    end_ms: int | None
    energy_wh: float | None
    charging_ms: int
    resets: int


def sessions_of(statuses: Sequence[Said], register: Sequence[Said], now_ms: int) -> list[Session]:
    """Sessions in the order of their beginnings. Both series ascend in time; a status holds until the next one."""
    found = []
    begin_ms: int | None = None
    charging_ms = 0
    for here, after in pairwise([*statuses, Said(now_ms, "")]):
        if begin_ms is not None and here.value in OUT_OF_SESSION:
            found.append(_session(begin_ms, here.t_ms, charging_ms, register))
            begin_ms, charging_ms = None, 0
        elif begin_ms is None and here.value in IN_SESSION:
            begin_ms = here.t_ms
        if here.value == "Charging":
            charging_ms += max(0, after.t_ms - here.t_ms)
    if begin_ms is not None:
        found.append(_session(begin_ms, None, charging_ms, register))
    return found


def _session(begin_ms: int, end_ms: int | None, charging_ms: int, register: Sequence[Said]) -> Session:
    # From the last value before the car came to the last before it went: in between, the register is this session's.
    first = max(0, bisect_right(register, begin_ms, key=lambda said: said.t_ms) - 1)
    last = len(register) if end_ms is None else bisect_right(register, end_ms, key=lambda said: said.t_ms)
    values = [float(said.value) for said in register[first:last]]
    if len(values) < 2:
        return Session(begin_ms, end_ms, None, charging_ms, 0)
    energy_wh, resets = 0.0, 0
    for before, after in pairwise(values):
        if after >= before:
            energy_wh += after - before
        else:
            resets += 1
            energy_wh += after if after < before * NEW_START_SHARE else 0.0
    return Session(begin_ms, end_ms, round(energy_wh, 3), charging_ms, resets)
