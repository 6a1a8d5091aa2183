"""What waits for an answer: once, for a while, and no more than may."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_api.people.challenges import ADDRESS_MAX, HOLDS_MS, KEPT_MAX, Challenges

T0 = 1_790_000_000_000


@given(st.lists(st.tuples(st.sampled_from("kt"), st.sampled_from("abc"), st.integers(0, HOLDS_MS)), max_size=30))
@settings(max_examples=200, deadline=None)
def test_it_is_taken_once_and_not_for_ever(steps: list[tuple[str, str, int]]) -> None:
    challenges: Challenges[int] = Challenges()
    model: dict[str, tuple[int, int]] = {}
    now_ms = T0
    for number, (what, key, later_ms) in enumerate(steps):
        now_ms += later_ms
        if what == "k":
            challenges.keep(key, number, "here", now_ms)
            model[key] = number, now_ms
        else:
            kept, since_ms = model.pop(key, (None, 0))
            assert challenges.take(key, now_ms) == (kept if now_ms < since_ms + HOLDS_MS else None)
    assert len(challenges) <= 3


def test_one_address_takes_no_others_room() -> None:
    challenges: Challenges[int] = Challenges()
    challenges.keep("mine", 1, "home", T0)
    for number in range(3 * ADDRESS_MAX):
        challenges.keep(f"flood {number}", number, "elsewhere", T0)
    assert len(challenges) == ADDRESS_MAX + 1
    assert challenges.take("mine", T0) == 1
    for number in range(KEPT_MAX + 10):
        challenges.keep(f"many {number}", number, f"address {number}", T0)
    assert len(challenges) == KEPT_MAX
