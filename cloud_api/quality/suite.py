"""Which checks a device gets, with which limits, and what they find. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cloud_api.quality import checks
from cloud_api.quality.checks import Sign
from cloud_api.quality.tracks import DeviceTracks, Track
from contracts.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS


class Finding(NamedTuple):
    """What a check has found. metric: "" when it is about the device as a whole."""

    check: str
    metric: str
    since_ms: int
    detail: str


LATE_PERIODS = 3.0
"""Two heartbeats are missing, and the third is due."""
LATE_MS_MIN = 16 * MINUTE_MS
"""However often it usually speaks: a pile that charges speaks every few seconds, an idle one every few minutes."""

_AIR = ("temperature", "humidity", "co2")
_STILL_HOURS, _STILL_SAMPLES = 3, 9
_LEAPS = {  # metric -> (units a minute, a step that is always believed)
    "temperature": (5.0, 5.0),
    "humidity": (20.0, 15.0),
    "co2": (2_000.0, 500.0),
}
_NEAREST_MM = 60.0
_REGISTERS = {"energy_active_import_register": 1.0, "water_volume": 0.01, "passage_count": 0.0, "collection_count": 0.0}
TRACKED = frozenset({"spot_status", "fill_distance", "battery_voltage", "water_leak", *_AIR, *_LEAPS, *_REGISTERS})
"""Metrics that have a track; the others only tell that their device is alive."""

DOUBTED = frozenset({"stuck", "flapping", "leap", "zero_drift", "covered"})
"""Checks that say: do not believe this value now."""


def findings(device: DeviceTracks, now_ms: int) -> list[Finding]:
    """Everything that is wrong with a device, by what is known of it."""
    tracks = {metric: track for metric, track in device.metrics.items() if track.points}
    signs = [("late", "", checks.late(device, now_ms, LATE_PERIODS, LATE_MS_MIN)), *_signs(tracks, now_ms)]
    return sorted(Finding(check, metric, *sign) for check, metric, sign in signs if sign is not None)


def _signs(tracks: Mapping[str, Track], now_ms: int) -> Iterator[tuple[str, str, Sign | None]]:
    """What a device tells says what it is: a place has a spot_status, a bin a fill_distance, a room co2."""
    for metric, tolerance in _REGISTERS.items():
        if metric in tracks:
            yield "reset", metric, checks.reset(tracks[metric], tolerance)
    if spot := tracks.get("spot_status"):
        yield from _place(spot, tracks, now_ms)
    if distance := tracks.get("fill_distance"):
        yield from _bin(distance, tracks)
    elif "spot_status" not in tracks:
        yield from _room(tracks)
    if leak := tracks.get("water_leak"):
        yield "flapping", "water_leak", checks.flapping(leak, now_ms, 20_000, 3, HOUR_MS)


def _place(spot: Track, tracks: Mapping[str, Track], now_ms: int) -> Iterator[tuple[str, str, Sign | None]]:
    yield "stuck", "spot_status", checks.stuck_word(spot, now_ms, 2, DAY_MS)
    yield "flapping", "spot_status", checks.flapping(spot, now_ms, 20_000, 3, 10 * MINUTE_MS)
    if volts := tracks.get("battery_voltage"):
        # Nwave's own limits: what is weak in summer is usual in winter.
        yield "battery_weak", "battery_voltage", checks.battery_weak(volts, tracks.get("temperature"), 3.0, 2.9, -5)


def _bin(distance: Track, tracks: Mapping[str, Track]) -> Iterator[tuple[str, str, Sign | None]]:
    if float(distance.value) > _NEAREST_MM:  # an overfull bin stands still and is no fault
        yield "stuck", "fill_distance", checks.stuck(distance, 30, 20)
    yield "covered", "fill_distance", checks.covered(distance, _NEAREST_MM, 350, 2)
    if temperature := tracks.get("temperature"):
        yield "fire", "temperature", checks.fire(temperature, 55, 20, 10)


def _room(tracks: Mapping[str, Track]) -> Iterator[tuple[str, str, Sign | None]]:
    for metric, (rate, step) in _LEAPS.items():
        if metric in tracks:
            yield "leap", metric, checks.leap(tracks[metric], rate, step)
    # One number may stand still for hours; all of a room's air at once does not.
    air = {metric: tracks[metric] for metric in _AIR if metric in tracks}
    still = {metric: checks.stuck(track, _STILL_HOURS, _STILL_SAMPLES) for metric, track in air.items()}
    if len(air) > 1 and all(still.values()):
        yield from (("stuck", metric, sign) for metric, sign in still.items())
    if co2 := tracks.get("co2"):
        yield "zero_drift", "co2", checks.zero_drift(co2, 425, 75, 24)
