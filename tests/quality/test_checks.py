"""Each check on its own: it finds what it is for, and stays silent on what merely looks like it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cloud_api.quality import checks
from cloud_api.quality.suite import findings
from cloud_api.quality.tracks import HEARD_MAX, HOURS_MAX, POINTS_MAX, DeviceTracks, Track
from contracts.reading import Value
from contracts.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

T0 = 1_790_000_000_000 // HOUR_MS * HOUR_MS


def track(*values: Value, every_ms: int = 10 * MINUTE_MS, start_ms: int = T0) -> Track:
    made = Track()
    made.take([(start_ms + number * every_ms, value) for number, value in enumerate(values)])
    return made


def told(values: st.SearchStrategy[Value]) -> st.SearchStrategy[list[tuple[int, Value]]]:
    return st.lists(st.tuples(st.integers(T0, T0 + 30 * DAY_MS), values), max_size=300)


samples_of_a_metric = st.one_of(
    told(st.floats(-100, 1e6)), told(st.booleans()), told(st.sampled_from(["free", "occupied"]))
)


@given(samples_of_a_metric)
def test_tracks_are_bounded_ascend_and_pass_over_backfill(samples: list[tuple[int, Value]]) -> None:
    made = DeviceTracks()
    made.heard([t_ms for t_ms, _ in samples])
    made.take("m", [sample for number, sample in enumerate(samples) if number % 7])
    found = made.metrics.get("m", Track())
    assert len(found.points) <= POINTS_MAX and len(found.hours) <= HOURS_MAX and len(made.heard_ms) <= HEARD_MAX
    assert found.points == sorted(found.points, key=lambda point: point[0])
    assert [hour.hour for hour in found.hours] == sorted({hour.hour for hour in found.hours})
    assert made.heard_ms == sorted(set(made.heard_ms))
    findings(made, T0 + 31 * DAY_MS)  # whatever was told, judging it never fails


@given(samples_of_a_metric, st.integers(1, 40))
def test_a_track_is_the_same_however_its_samples_are_taken(samples: list[tuple[int, Value]], many: int) -> None:
    at_once, one_by_one, in_parts = DeviceTracks(), DeviceTracks(), DeviceTracks()
    at_once.take("m", samples)
    at_once.heard([t_ms for t_ms, _ in samples])
    for sample in samples:
        one_by_one.take("m", [sample])
        one_by_one.heard([sample[0]])
    for start in range(0, len(samples), many):
        in_parts.take("m", samples[start : start + many])
        in_parts.heard([t_ms for t_ms, _ in samples[start : start + many]])
    if samples:
        assert at_once == one_by_one == in_parts


def test_late_is_by_the_devices_own_period() -> None:
    device = DeviceTracks()
    device.heard([T0 + number * HOUR_MS for number in range(10)])
    last = T0 + 9 * HOUR_MS
    assert checks.late(device, last + 3 * HOUR_MS, 3, MINUTE_MS) is None
    found = checks.late(device, last + 3 * HOUR_MS + 1, 3, MINUTE_MS)
    assert found is not None and found.since_ms == last
    assert checks.late(DeviceTracks(), last, 3, 0) is None


@given(st.integers(0, 23))
def test_stuck_ends_with_the_first_move(moves_at: int) -> None:
    still = [21.5] * 24
    assert checks.stuck(track(*still), 3, 9) is not None
    moved = [value + 0.1 * (number == moves_at) for number, value in enumerate(still)]
    found = checks.stuck(track(*moved), 3, 9)
    assert (found is None) == (moves_at >= 6)  # only a move within the last three of four hours counts
    assert checks.stuck(track(*still[:12]), 3, 9) is None


def test_a_place_is_stuck_only_beyond_what_it_ever_did() -> None:
    words: list[Value] = ["free", "occupied"] * 5
    made = track(*words, every_ms=8 * HOUR_MS)
    changed_ms = T0 + 9 * 8 * HOUR_MS
    assert checks.stuck_word(made, changed_ms + 2 * DAY_MS - 1, 2, 2 * DAY_MS) is None
    assert checks.stuck_word(made, changed_ms + 2 * DAY_MS + 1, 2, 2 * DAY_MS) is not None


def test_flapping_is_about_short_states() -> None:
    words: list[Value] = ["free", "occupied"] * 4
    fast, slow = track(*words, every_ms=5_000), track(*words, every_ms=30_000)
    assert checks.flapping(fast, T0 + MINUTE_MS, 20_000, 3, 10 * MINUTE_MS) is not None
    assert checks.flapping(slow, T0 + 5 * MINUTE_MS, 20_000, 3, 10 * MINUTE_MS) is None
    assert checks.flapping(fast, T0 + HOUR_MS, 20_000, 3, 10 * MINUTE_MS) is None  # it has calmed down


@given(st.floats(-20, 40), st.floats(0.1, 60))
def test_a_leap_needs_speed_and_size(before: float, minutes: float) -> None:
    after = before + 5.5
    found = checks.leap(track(before, after, every_ms=int(minutes * MINUTE_MS) or 1), 5, 5)
    assert (found is not None) == (5 * int(minutes * MINUTE_MS) / MINUTE_MS < 5.5)
    assert checks.leap(track(before, before + 4.9, every_ms=1), 5, 5) is None


def test_zero_drift_is_seen_at_the_lowest_point() -> None:
    aired = [600.0 + 200 * (hour % 24 > 7) - 170 * (hour % 24 == 4) for hour in range(40)]
    assert checks.zero_drift(track(*aired, every_ms=HOUR_MS), 425, 75, 24) is None
    drifted = [value + 150 for value in aired]
    assert checks.zero_drift(track(*drifted, every_ms=HOUR_MS), 425, 75, 24) is not None


def test_a_covered_eye_leaps_and_a_filling_bin_does_not() -> None:
    covered = [900.0] * 6 + [40.0] * 8
    filled = [900.0 - 60 * number for number in range(14)] + [60.0, 50.0, 40.0] + [40.0] * 8
    assert checks.covered(track(*covered, every_ms=HOUR_MS // 2), 60, 350, 2) is not None
    assert checks.covered(track(*filled, every_ms=HOUR_MS // 2), 60, 350, 2) is None
    assert checks.covered(track(*[40.0] * 20, every_ms=HOUR_MS // 2), 60, 350, 2) is None  # how it began is not known


@given(st.floats(2.0, 3.6), st.floats(-30, 40))
def test_a_battery_is_weak_by_its_temperature(volts: float, cel: float) -> None:
    found = checks.battery_weak(track(volts), track(cel), 3.0, 2.9, -5)
    assert (found is not None) == (volts < (2.9 if cel < -5 else 3.0))


def test_fire_is_not_summer_sun() -> None:
    sun = [25.0 + number * 4 for number in range(12)]
    burning = [25.0, 26.0, 75.0]
    assert checks.fire(track(*sun, every_ms=HOUR_MS // 2), 55, 20, 10) is None
    assert checks.fire(track(*burning, every_ms=HOUR_MS // 2), 55, 20, 10) is not None
    assert checks.fire(track(20.0, 80.0, every_ms=MINUTE_MS), 55, 20, 10) is not None
    assert checks.fire(track(20.0, 80.0, 30.0, every_ms=MINUTE_MS), 55, 20, 10) is None  # it is out


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=30))
def test_a_reset_is_a_fall(register: list[float]) -> None:
    found = checks.reset(track(*register), 1.0)
    kept = register[-POINTS_MAX:]
    assert (found is not None) == any(b < a - 1.0 for a, b in pairwise(kept))
