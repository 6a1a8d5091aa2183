"""The pace: bounded whatever comes, patient where answers are slow, few frames where they queue, quick where they are not."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplink.pace import FRAMES_MIN, RESEND_MS_MAX, Pace

EVENT = st.one_of(
    st.tuples(st.just("answered"), st.integers(0, 300_000)),
    st.tuples(st.sampled_from(["late", "answered_again"]), st.just(0)),
    st.tuples(st.just("link_up"), st.just(0)),
)


@given(frames_max=st.integers(1, 1_000), resend_ms=st.integers(100, 10_000), events=st.lists(EVENT, max_size=200))
def test_always_within_its_bounds(frames_max: int, resend_ms: int, events: list[tuple[str, int]]) -> None:
    pace, now_ms = Pace(frames_max, resend_ms), 0
    for what, took_ms in events:
        now_ms += took_ms + 1
        if what == "answered":
            pace.answered(took_ms, now_ms)
        elif what == "answered_again":
            pace.answered(took_ms, now_ms, again=True)
        elif what == "late":
            pace.late(now_ms)
        else:
            pace.link_up()
        assert min(FRAMES_MIN, frames_max) <= pace.frames <= frames_max
        assert resend_ms <= pace.answer_ms
        assert resend_ms <= pace.resend_after_ms <= RESEND_MS_MAX


@given(delay_ms=st.integers(1, 20_000), seed=st.randoms(use_true_random=False))
def test_what_takes_its_usual_time_is_not_late(delay_ms: int, seed: object) -> None:
    pace = Pace(64, 1_000)
    for turn in range(100):
        jitter = seed.randint(-delay_ms // 4, delay_ms // 4)  # type: ignore[attr-defined]
        if turn > 20:
            assert delay_ms + jitter < pace.resend_after_ms
        pace.answered(delay_ms + jitter, turn * delay_ms)


def ride(pace: Pace, frame_ms: float, way_ms: int, for_ms: int) -> list[tuple[int, int]]:
    """A link that takes frame_ms for a frame and way_ms there and back; always something to send. (now, waited) pairs."""
    now_ms, free_ms, flying, seen = 0, 0.0, [], []
    while now_ms < for_ms:
        while len(flying) < pace.frames:
            free_ms = max(free_ms, now_ms) + frame_ms
            flying.append((int(free_ms) + way_ms, now_ms))
        answer_ms, sent_ms = flying.pop(0)
        now_ms = max(now_ms, answer_ms)
        seen.append((now_ms, now_ms - sent_ms))
        pace.answered(now_ms - sent_ms, now_ms)
    return seen


def test_a_fast_link_is_filled_within_a_few_round_trips() -> None:
    pace = Pace(64, 5_000)
    seen = ride(pace, 0.1, 50, 400)
    assert pace.frames == 64
    assert seen[0][1] < 60


def test_a_slow_link_is_kept_busy_and_its_queue_short() -> None:
    """8 kB frames over 64 kbit/s: one a second. Nothing is ever late, and what is fresh waits a few seconds at most."""
    pace = Pace(64, 5_000)
    seen = ride(pace, 1_000, 900, 120_000)
    assert len(seen) > 110, "the link stood idle"
    assert max(waited for _, waited in seen) < 8_000, "what is fresh waits too long behind our own queue"
    assert pace.frames <= 6


def test_timeouts_do_not_storm() -> None:
    """A cloud that is silent for five minutes: a handful of resends, not one every five seconds."""
    pace, now_ms, resends = Pace(64, 5_000), 0, 0
    for at in range(20):
        pace.answered(50, at)
    while now_ms < 300_000:
        now_ms += pace.resend_after_ms
        pace.late(now_ms)
        resends += 1
    assert resends <= 8
    assert pace.frames == FRAMES_MIN
    pace.answered(50, now_ms)
    assert pace.resend_after_ms == 5_000


def test_a_link_slower_than_first_thought_is_learnt_though_everything_was_sent_twice() -> None:
    """Answers take 8 s where 1 s was thought enough: soon nothing is sent twice any more."""
    pace, now_ms, twice = Pace(64, 1_000), 0, 0
    for _ in range(20):
        sent_ms, again = now_ms, False
        while now_ms < sent_ms + 8_000:
            now_ms = min(sent_ms + 8_000, now_ms + pace.resend_after_ms)
            if now_ms < sent_ms + 8_000:
                pace.late(now_ms)
                again = True
        twice += again
        pace.answered(8_000, now_ms, again)
    assert twice <= 2
