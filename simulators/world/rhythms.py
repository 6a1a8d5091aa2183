"""How busy an hour is: the day and the week of a residential community. Times are ms UTC; local time is UTC+8."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
ZONE_MS = 8 * HOUR_MS  # China has one zone and no summer time

# Share of a day's events in each local hour; each row sums to 1.
_LEAVING = (1, 1, 1, 1, 1, 3, 8, 16, 14, 7, 5, 4, 4, 5, 4, 4, 4, 4, 4, 3, 3, 2, 1, 1)
_COMING = (1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 5, 4, 4, 5, 7, 13, 15, 9, 6, 4, 2, 1)
_WASTE = (0, 0, 0, 0, 0, 2, 7, 10, 9, 5, 4, 5, 6, 4, 3, 3, 4, 6, 10, 11, 6, 3, 2, 1)
_WATER = (1, 1, 1, 1, 1, 3, 9, 10, 7, 5, 4, 5, 6, 4, 3, 3, 4, 7, 10, 9, 7, 5, 3, 2)


def _shares(weights: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(weight * 24 / sum(weights) for weight in weights)


LEAVING = _shares(_LEAVING)
COMING = _shares(_COMING)
WASTE = _shares(_WASTE)
WATER = _shares(_WATER)
"""Twenty-four factors around 1: how much more than the day's mean happens in that local hour."""


def local_hour(now_ms: int) -> float:
    """Hours since local midnight, 0..24."""
    return ((now_ms + ZONE_MS) % DAY_MS) / HOUR_MS


def is_weekend(now_ms: int) -> bool:
    """Saturday or Sunday, local time."""
    return ((now_ms + ZONE_MS) // DAY_MS + 3) % 7 >= 5  # 1970-01-01 was a Thursday


def factor(rhythm: tuple[float, ...], now_ms: int) -> float:
    """The rhythm's factor now; a weekend is flatter than a working day."""
    now = rhythm[int(local_hour(now_ms))]
    return 0.5 + 0.5 * now if is_weekend(now_ms) else now


def daylight(now_ms: int) -> float:
    """0 at night, 1 at noon."""
    hour = local_hour(now_ms)
    return max(0.0, 1 - ((hour - 12.5) / 6.5) ** 2)


def outdoor_cel(now_ms: int) -> float:
    """Outdoor temperature: a mild late autumn, coldest before dawn."""
    hour = local_hour(now_ms)
    return 9.0 + 7.0 * max(-1.0, 1 - abs(hour - 14.5) / 5.5)
