"""The checks: each looks at the past of one metric (or device) and says what is wrong, or nothing. Small, pure.

A check never says that a value is wrong when it merely is rare: what it takes for a sign is in its docstring, with the
limits as arguments. ``suite`` says which checks a kind of device gets, and with which limits.
"""

from itertools import pairwise
from typing import NamedTuple

from cloud_api.quality.tracks import DeviceTracks, Track
from contracts.reading import Value
from contracts.vocabulary import HOUR_MS, MINUTE_MS


class Sign(NamedTuple):
    """Something is wrong. since_ms: as far back as it can be seen; detail: the figures, for those who repair it."""

    since_ms: int
    detail: str


def late(device: DeviceTracks, now_ms: int, periods: float, at_least_ms: int) -> Sign | None:
    """Nothing was heard for so many of the device's own usual periods."""
    period_ms = device.usual_period_ms()
    if period_ms is None or not device.heard_ms:
        return None
    silent_ms = now_ms - device.heard_ms[-1]
    if silent_ms <= max(periods * period_ms, at_least_ms):
        return None
    return Sign(
        device.heard_ms[-1], f"silent for {silent_ms // MINUTE_MS} min, usually every {period_ms / MINUTE_MS:.1f} min"
    )


def stuck(track: Track, hours: int, samples: int) -> Sign | None:
    """A number has not moved for so many whole hours with so many samples."""
    newest = track.hours[-hours:]
    if len(newest) < hours or newest[-1].hour - newest[0].hour != hours - 1:
        return None
    value = newest[-1].high
    same = all(hour.low == hour.high == value for hour in newest)
    if not same or sum(hour.samples for hour in newest) < samples:
        return None
    first = next((at for at in range(len(track.hours), 0, -1) if not _is(track, at - 1, value)), 0)
    return Sign(track.hours[first].hour * HOUR_MS, f"{value:g} for {len(track.hours) - first} h without a change")


def _is(track: Track, at: int, value: float) -> bool:
    return track.hours[at].low == track.hours[at].high == value


def stuck_word(track: Track, now_ms: int, dwells: float, at_least_ms: int) -> Sign | None:
    """A word has stood much longer than it ever did at this device (its last 31 changes are known)."""
    times = [t_ms for t_ms, _ in track.points]
    past = [after - before for before, after in pairwise(times)]
    if len(past) < 5:
        return None
    stands_ms = now_ms - times[-1]
    if stands_ms <= max(dwells * max(past), at_least_ms):
        return None
    return Sign(times[-1], f"{track.value} for {stands_ms // HOUR_MS} h, at most {max(past) / HOUR_MS:.1f} h before")


def flapping(track: Track, now_ms: int, dwell_ms_min: int, times: int, within_ms: int) -> Sign | None:
    """A word that changed back and forth faster than its thing can, so often within the last while."""
    recent = track.since(now_ms - within_ms)
    short = [before[0] for before, after in pairwise(recent) if after[0] - before[0] < dwell_ms_min]
    return Sign(short[0], f"{len(short)} states of less than {dwell_ms_min // 1000} s") if len(short) >= times else None


def leap(track: Track, rate_max: float, step_max: float) -> Sign | None:
    """Between its last two samples a number moved faster than its thing can.

    rate_max  units a minute; step_max: a step up to this is believed however quick
    """
    if len(track.points) < 2:
        return None
    (before_ms, before), (after_ms, after) = track.points[-2:]
    step = abs(_number(after) - _number(before))
    minutes = (after_ms - before_ms) / MINUTE_MS
    if step <= step_max or step <= rate_max * minutes:
        return None
    return Sign(after_ms, f"{before:g} to {after:g} within {minutes:.1f} min")


def zero_drift(track: Track, zero: float, allowed: float, hours: int) -> Sign | None:
    """The least value of a day and more is far from what the sensor must show at rest (fresh air at night).

    It tells drift of the automatic zero; a room that is never aired looks the same, and has the same cure: look at it.
    """
    newest = track.hours[-hours:]
    if len(newest) < hours or newest[-1].hour - newest[0].hour > 2 * hours:
        return None
    least = min(hour.low for hour in newest)
    if abs(least - zero) <= allowed:
        return None
    return Sign(newest[0].hour * HOUR_MS, f"never nearer to {zero:g} than {least:g} in {hours} h")


def covered(track: Track, nearest: float, jump: float, hours: int) -> Sign | None:
    """A distance leapt to the nearest a sensor can see and stays: its eye is dirty or covered. A bin fills by and by.

    nearest  the distance, and below it; jump: more than it can fill within an hour
    """
    run = 0
    while run < len(track.hours) and track.hours[-1 - run].high <= nearest:
        run += 1
    if run < hours or run == len(track.hours):
        return None
    before = track.hours[-1 - run]
    reached = before.high if before.low <= nearest else before.low  # it leapt within this hour, or right after it
    if reached - nearest <= jump:
        return None
    return Sign(track.hours[-run].hour * HOUR_MS, f"from {reached:g} at once to {nearest:g} and less, for {run} h")


def battery_weak(
    voltage: Track, temperature: Track | None, warm_v: float, cold_v: float, cold_cel: float
) -> Sign | None:
    """Below what its battery should give; in the cold every battery gives less, and that alone is no fault."""
    cold = temperature is not None and bool(temperature.points) and _number(temperature.value) < cold_cel
    limit_v = cold_v if cold else warm_v
    volts = _number(voltage.value)
    return Sign(voltage.newest_ms, f"{volts:g} V, below {limit_v:g} V") if volts < limit_v else None


def fire(track: Track, hot_cel: float, rise_cel: float, rise_cel_a_min: float) -> Sign | None:
    """Hot, and it became so faster than the sun can do it: by rate where samples are near, else by the step itself.

    Summer sun heats a bin to 60 °C and more, over hours; a fire does it between two looks.
    """
    now = _number(track.value)
    if now < hot_cel:
        return None
    for (before_ms, before), (after_ms, after) in pairwise(track.points):
        rise = _number(after) - _number(before)
        minutes = (after_ms - before_ms) / MINUTE_MS
        if rise >= rise_cel and (minutes >= 10 or rise >= rise_cel_a_min * minutes):
            return Sign(after_ms, f"{now:g} Cel, {rise:g} Cel more within {minutes:.0f} min")
    return None


def reset(track: Track, tolerance: float) -> Sign | None:
    """A register that only grows has fallen: the meter was changed or has started anew."""
    for (_, before), (after_ms, after) in reversed(list(zip(track.points, track.points[1:], strict=False))):
        if _number(after) < _number(before) - tolerance:
            return Sign(after_ms, f"from {before:g} back to {after:g}")
    return None


def _number(value: Value) -> float:
    return float(value) if not isinstance(value, str) else 0.0
