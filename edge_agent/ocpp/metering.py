"""Energy of a transaction from the charger's register. Pure: never negative, whatever the register does."""

JITTER_WH = 50.0
"""A register that falls by no more than this has not been reset: its readings overtook one another."""
CAR_WH_MAX = 300_000.0
"""No car takes more between two readings: a register that shows more after a fall is another meter, not one from zero."""


def consumed(before_wh: float, after_wh: float) -> tuple[float, float]:
    """(Energy between two readings of a register, the reading to go on from).

    A register that was reset counts from zero: what it shows then is what was consumed since, where that is possible.
    What was consumed between the reading before and the reset is in neither, and nobody knows it.
    """
    if after_wh >= before_wh:
        return after_wh - before_wh, after_wh
    if before_wh - after_wh <= JITTER_WH:
        return 0.0, before_wh
    return (after_wh if after_wh <= CAR_WH_MAX else 0.0), after_wh
