"""A bin's filling: how full, when it will be full, when it was emptied. Pure, from what its sensor said.

A sensor that gives only the distance to the waste needs the bin's height (and how far above its rim the sensor sits) as
parameters of the device.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from statistics import median
from typing import Literal, NamedTuple

from contracts.vocabulary import DAY_MS, HOUR_MS

EMPTIED_STEP = 30.0
"""A fall of more points than this between two looks is an emptying: the proof that the crew was there."""
LEFT_PERCENT_MAX = 25.0
"""What a crew leaves in a bin at most. A compactor's press makes a fall too, and leaves half."""
FULL_PERCENT = 85.0
SLOPE_POINTS_MAX = 40
FORECAST_MS_MAX = 30 * DAY_MS

BinStatus = Literal["ok", "full", "lid_open", "moved", "burning", "unknown"]


class Fill(NamedTuple):
    """A level at a time. percent: 0 empty, 100 full."""

    t_ms: int
    percent: float


class Emptying(NamedTuple):
    """Between ``after_ms`` and ``t_ms`` the bin was emptied."""

    t_ms: int
    after_ms: int
    from_percent: float
    to_percent: float


def level(distance_mm: float, parameters: Mapping[str, float]) -> float | None:
    """Percent from the distance to the waste; None when the bin's height is not known.

    parameters  ``height_mm`` of the bin inside, ``offset_mm`` from its rim up to the sensor (0 unless given)
    """
    height_mm = parameters.get("height_mm", 0.0)
    if height_mm <= 0:
        return None
    percent = 100 * (height_mm + parameters.get("offset_mm", 0.0) - distance_mm) / height_mm
    return round(min(100.0, max(0.0, percent)), 1)


def emptyings(fills: Sequence[Fill]) -> list[Emptying]:
    """Every emptying in a series that ascends in time."""
    return [
        Emptying(after.t_ms, before.t_ms, before.percent, after.percent)
        for before, after in pairwise(fills)
        if before.percent - after.percent > EMPTIED_STEP and after.percent <= LEFT_PERCENT_MAX
    ]


def full_at_ms(fills: Sequence[Fill]) -> int | None:
    """When it will be full if it goes on filling as it has since it was last emptied; None while that can't be said.

    The slope is the median of the slopes between pairs (Theil-Sen): a lid that stood open once does not bend it.
    """
    emptied = emptyings(fills)
    since = [fill for fill in fills if not emptied or fill.t_ms >= emptied[-1].t_ms]
    thinned = since[:: max(1, len(since) // SLOPE_POINTS_MAX)]
    if len(thinned) < 4 or thinned[-1].t_ms - thinned[0].t_ms < 3 * HOUR_MS:
        return None
    slopes = [(b.percent - a.percent) / (b.t_ms - a.t_ms) for a, b in combinations(thinned, 2) if b.t_ms > a.t_ms]
    slope = median(slopes)
    last = since[-1]
    if last.percent >= 100:
        return last.t_ms
    if slope <= 0 or (100 - last.percent) / slope > FORECAST_MS_MAX:
        return None
    return last.t_ms + int((100 - last.percent) / slope)


def status(percent: float | None, says: Mapping[str, object]) -> BinStatus:
    """One word for people. With the lid open or the bin moved a sensor can't tell that it is full.

    says  the fresh values of the bin's other metrics
    """
    container = says.get("container_status")
    if says.get("fire_alarm") is True or container == "burning":
        return "burning"
    if says.get("tilt_alarm") is True or container in ("moved", "dropped", "vandalized"):
        return "moved"
    if says.get("lid_open") is True or container == "lidOpen":
        return "lid_open"
    if says.get("full_alarm") is True or (percent is not None and percent >= FULL_PERCENT):
        return "full"
    return "ok" if percent is not None or "full_alarm" in says else "unknown"
