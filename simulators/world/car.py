"""A car that is charged: what it needs, and what it takes of what it is offered. Shared by all models of charge points."""

from random import Random
from typing import NamedTuple

AMPS_MIN = 6.0  # IEC 61851: below it a car may not charge
FULL_SHARE = 0.8  # of the car's need; above it the current tapers


class Car(NamedTuple):
    """need_wh: what it takes in all. voltage_v: of the grid where it stands."""

    need_wh: float
    voltage_v: float


def coming(random: Random) -> Car:
    """A car as they come."""
    return Car(random.uniform(6_000, 48_000), random.uniform(222, 236))


def amps_taken(limit_a: float, done_share: float) -> float:
    """The current in each phase that it takes, of a limit that lets it charge; less when it is nearly full."""
    if done_share < FULL_SHARE:
        return limit_a
    return max(min(AMPS_MIN, limit_a), limit_a * (1 - (done_share - FULL_SHARE) / (1 - FULL_SHARE)))
