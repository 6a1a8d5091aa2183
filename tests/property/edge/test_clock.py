"""The gateway's clock: wrong at the start, set back and forth, corrected by the cloud; it never runs backwards by the wall."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import FLOOR_MS, GatewayClock
from edge_agent.quota import Quota

TRUE_MS = 1_795_000_000_000


def test_a_machine_without_a_battery_starts_at_the_floor_and_is_healed() -> None:
    clock = GatewayClock(5_000, 900, "boot-1", None)
    assert not clock.possible and not clock.sure
    assert clock.now_ms(900) == FLOOR_MS
    shift_ms, error_ms = clock.heard(TRUE_MS, 1_000, 1_040)
    assert clock.sure
    assert clock.now_ms(1_020) == TRUE_MS
    assert (shift_ms, error_ms) == (TRUE_MS - FLOOR_MS - 120, 21)


def test_the_last_known_time_is_the_floor_after_a_restart_of_the_machine() -> None:
    first = GatewayClock(TRUE_MS, 1_000, "boot-1", None)
    kept = first.kept(61_000)
    second = GatewayClock(0, 300, "boot-2", kept)
    assert second.now_ms(300) == TRUE_MS + 60_000
    assert second.run == first.run + 1
    assert not second.dates_count(TRUE_MS - 100_000) and second.dates_count(TRUE_MS + 60_000)


def test_a_restart_of_the_agent_keeps_the_clock() -> None:
    first = GatewayClock(5_000, 900, "boot-1", None)
    first.heard(TRUE_MS, 1_000, 1_010)
    second = GatewayClock(TRUE_MS + 9_999_999, 2_000, "boot-1", first.kept(1_500))
    assert second.sure and second.run == first.run
    assert second.now_ms(2_000) == first.now_ms(2_000)


@given(
    st.integers(-(10**9), 10**9),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 5_000), st.floats(0, 1)), min_size=1),
)
def test_the_bound_of_the_error_holds(wrong_ms: int, questions: list[tuple[int, int, float]]) -> None:
    """Whatever part of the way is there and what back: the time is never further off than the bound says."""
    steady_ms = 0
    clock = GatewayClock(TRUE_MS + wrong_ms, 0, "boot", None)
    for pause_ms, way_ms, part in questions:
        steady_ms += pause_ms
        there_ms = int(way_ms * part)
        clock.heard(TRUE_MS + steady_ms + there_ms, steady_ms, steady_ms + way_ms)
        steady_ms += way_ms
        assert abs(clock.now_ms(steady_ms) - (TRUE_MS + steady_ms)) <= 3 * clock.error_ms


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), max_size=300))
def test_a_topic_says_no_more_than_its_quota_and_others_are_not_touched(said: list[tuple[str, int]]) -> None:
    quota = Quota(100, 10)
    alone = {topic: Quota(100, 10) for topic in "abc"}
    now_ms = 0
    taken = dict.fromkeys("abc", 0)
    for topic, pause_ms in said:
        now_ms += pause_ms
        allowed = quota.allows(topic, now_ms)
        assert allowed == alone[topic].allows(topic, now_ms)
        taken[topic] += allowed
    assert all(count <= 10 + now_ms / 10 + 1 for count in taken.values())
    assert Quota(0, 1).allows("a", 0)
