"""How soon the outbox is full at the present rate. Pure: the caller gives the time."""

import math

SMOOTH_S = 120.0
"""After a change of pace the rate is two thirds of the way to the new one in this time."""
HOURS_MAX = 8_760.0
"""Further away than a year is not filling."""


class FillRate:
    """The smoothed pace at which unacknowledged bytes grow, bytes/s; negative while they drain."""

    def __init__(self) -> None:
        self.bytes_per_s = 0.0
        self._last: tuple[int, int] | None = None

    def seen(self, unacked_bytes: int, steady_ms: int) -> None:
        """So much was unacknowledged at this moment of a steady clock. Moments come in order."""
        last, self._last = self._last, (unacked_bytes, steady_ms)
        if last is None or steady_ms <= last[1]:
            return
        elapsed_s = (steady_ms - last[1]) / 1000
        rate = (unacked_bytes - last[0]) / elapsed_s
        self.bytes_per_s += (1 - math.exp(-elapsed_s / SMOOTH_S)) * (rate - self.bytes_per_s)


def hours_until_full(room_bytes: int, bytes_per_s: float) -> float | None:
    """Hours until the room is used up at this rate, None when it does not fill. room_bytes: what may still be taken."""
    if room_bytes <= 0:
        return 0.0
    if bytes_per_s <= 0:
        return None
    hours = room_bytes / bytes_per_s / 3600
    return round(hours, 2) if hours <= HOURS_MAX else None
