"""Who may send when all come back at once: never more than have places, and everybody in the end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_api.ingest.admission import AT_ONCE, AT_ONCE_BEHIND, FRAMES, HELD_MS_MAX, Admission, frames_to_send
from contracts.messages import GatewayState, LaneState

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("ask", "commit", "pass", "clock")), st.integers(0, 299), st.integers(1, 40), st.booleans()
    ),
    max_size=300,
)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_places_are_bounded_and_each_comes_back(steps: list[tuple[str, int, int, bool]]) -> None:
    admission, now_ms = Admission(), 0
    sending: dict[str, tuple[int, int]] = {}  # gateway -> (since, frames until its place is free)
    for what, number, amount, behind in steps:
        gateway = f"gw-{number}"
        if what == "ask" and admission.room(now_ms, behind) > 0:
            admission.let_in(gateway, amount, now_ms)
            sending[gateway] = now_ms, min(amount, FRAMES)
        elif what == "commit" and gateway in sending:
            since_ms, left = sending[gateway]
            assert admission.committed(gateway) == (left == 1)
            sending[gateway] = since_ms, left - 1
            if left == 1:
                del sending[gateway]
        elif what == "pass":
            now_ms += 40 * amount
        elif what == "clock":  # set back or forward by an hour
            now_ms += 3_600_000 if behind else -3_600_000
        admission.room(now_ms, behind)
        sending = {name: each for name, each in sending.items() if abs(now_ms - each[0]) < HELD_MS_MAX}
        assert len(sending) <= AT_ONCE
        assert admission.room(now_ms, False) == AT_ONCE - len(sending)
        assert admission.room(now_ms, True) == max(0, AT_ONCE_BEHIND - len(sending))
    assert admission.room(now_ms + HELD_MS_MAX, False) == AT_ONCE, "a place was never given back"


def test_who_has_nothing_to_send_needs_no_place() -> None:
    admission = Admission()
    for number in range(10 * AT_ONCE):
        admission.let_in(f"gw-{number}", 0, 0)
    assert admission.room(0, False) == AT_ONCE
    assert not admission.committed("gw-1")


def test_what_a_gateway_has_to_send_is_counted_over_its_lanes() -> None:
    def lane(name: str, oldest: int, last: int) -> LaneState:
        return LaneState(
            epoch="e", lane=name, last_seq=last, produced=0, oldest_unacked_seq=oldest, buffered=0, dropped=0  # type: ignore[arg-type]
        )  # fmt: skip

    state = GatewayState(online=True, session="s", lanes=[lane("bulk", 5, 9), lane("urgent", 4, 3)])
    assert frames_to_send(state) == 5
    assert frames_to_send(GatewayState(online=True, session="s", lanes=[lane("bulk", 9, 2)])) == 0, (
        "it may say anything"
    )
