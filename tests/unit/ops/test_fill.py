"""When will the outbox be full?"""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.outbox.fill import HOURS_MAX, FillRate, hours_until_full
from edge_agent.outbox.room import Disk, Limits, room_bytes


def test_a_steady_pace_is_learnt_and_gives_the_hours() -> None:
    fill = FillRate()
    for second in range(0, 1_200, 15):
        fill.seen(second * 1_000, second * 1_000)
    assert 990 < fill.bytes_per_s < 1_000.1
    assert hours_until_full(7_200_000, fill.bytes_per_s) == 2.0


def test_a_burst_does_not_make_an_alarm_and_draining_is_not_filling() -> None:
    fill = FillRate()
    fill.seen(0, 0)
    fill.seen(1_500_000, 15_000)
    burst = fill.bytes_per_s
    assert burst < 100_000 / 8, "one look counts for little"
    for look in range(2, 60):
        fill.seen(0, look * 15_000)
    assert abs(fill.bytes_per_s) < burst / 100
    fill.seen(0, 1_000_000)
    fill.seen(-1, 1_015_000)
    assert hours_until_full(1_000, -0.1) is None


def test_full_is_now_and_far_away_is_never() -> None:
    assert hours_until_full(0, 0) == 0
    assert hours_until_full(-5, 10) == 0
    assert hours_until_full(10**12, 0.1) is None
    assert (hours_until_full(1_000, 1e-4) or 0) <= HOURS_MAX


@given(st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**6)), max_size=30), st.integers(0, 10**10))
def test_never_a_negative_or_absurd_answer(looks: list[tuple[int, int]], room: int) -> None:
    fill = FillRate()
    at_ms = 0
    for size, later_ms in looks:
        at_ms += later_ms
        fill.seen(size, at_ms)
    hours = hours_until_full(room, fill.bytes_per_s)
    assert hours is None or 0 <= hours <= HOURS_MAX


def test_room_is_by_the_cap_or_by_the_disk_whichever_ends_first() -> None:
    limits = Limits(bytes_max=1_000, free_bytes_min=100)
    roomy = Disk(10**9, 10**9)
    assert room_bytes(limits, 400, 50, roomy) == 600
    assert room_bytes(limits, 400, 50, Disk(1_600, 300)) == 250, "acknowledged frames make room"
    assert room_bytes(limits, 400, 0, Disk(1_600, 10)) == 0
