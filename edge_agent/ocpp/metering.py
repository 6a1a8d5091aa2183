"""Energy of a transaction from the charger's register. Pure: never negative, whatever the register does."""

JITTER_WH = 50.0
"""A register that falls by no more than this has not been reset: its readings overtook one another."""
POWER_W_MAX = 500_000.0
"""No charger gives more; with time it bounds what a register may count after a reset."""
SLACK_WH = 1_000.0


def consumed(before_wh: float, after_wh: float, elapsed_ms: int) -> tuple[float, float]:
    """(Energy between two readings of a register, the reading to go on from).

    A register that was reset counts from zero: what it shows then is what was consumed since, where that is possible in
    the time. What was consumed between the reading before and the reset is in neither, and nobody knows it.
    """
    if after_wh >= before_wh:
        return after_wh - before_wh, after_wh
    if before_wh - after_wh <= JITTER_WH:
        return 0.0, before_wh
    possible_wh = POWER_W_MAX * max(elapsed_ms, 0) / 3_600_000 + SLACK_WH
    return (after_wh if after_wh <= possible_wh else 0.0), after_wh
