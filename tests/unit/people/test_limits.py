"""How often somebody may try: never more than is promised in any quarter of an hour, whatever comes in between."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_api.people.limits import ACCOUNT_MAX, ADDRESS_MAX, ALL_MAX, KEPT_MAX, WITHIN_MS, SignInLimits

T0 = 1_790_000_000_000
attempts = st.lists(
    st.tuples(st.sampled_from(["chen", "li"]), st.sampled_from(["::1", "::2"]), st.integers(0, WITHIN_MS // 3)),
    max_size=60,
)


@given(attempts)
@settings(deadline=None)
def test_at_most_so_many_failures_within_the_window(tries: list[tuple[str, str, int]]) -> None:
    limits, now_ms = SignInLimits(), T0
    taken: list[tuple[str, str, int]] = []
    for name, address, after_ms in tries:
        now_ms += after_ms
        if limits.begin(name, address, now_ms) == 0:
            taken.append((name, address, now_ms))
    for name, address, at_ms in taken:
        near = [one for one in taken if one[:2] == (name, address) and at_ms <= one[2] < at_ms + WITHIN_MS]
        assert len(near) <= ACCOUNT_MAX


def test_the_wait_is_as_long_as_it_says() -> None:
    limits = SignInLimits()
    for number in range(ACCOUNT_MAX):
        assert limits.begin("chen", "::1", T0 + number) == 0
    wait_ms = limits.begin("chen", "::1", T0 + 10)
    assert 0 < wait_ms <= WITHIN_MS
    assert limits.begin("chen", "::1", T0 + 10 + wait_ms - 1) == 1
    assert limits.begin("chen", "::1", T0 + 10 + wait_ms) == 0


def test_a_thousand_at_once_get_no_further() -> None:
    limits = SignInLimits()
    assert sum(limits.begin("chen", "::1", T0) == 0 for _ in range(1000)) == ACCOUNT_MAX


def test_an_address_that_goes_through_names_is_stopped_too() -> None:
    limits = SignInLimits()
    assert sum(limits.begin(f"user{number}", "::1", T0) == 0 for number in range(1000)) == ADDRESS_MAX


def test_the_whole_world_is_stopped_but_not_who_is_known() -> None:
    limits = SignInLimits()
    limits.begin("chen", "::1", T0)
    limits.succeeded("chen", "::1")
    assert sum(limits.begin(f"user{number}", f"::{number}", T0) == 0 for number in range(2000)) == ALL_MAX
    assert limits.begin("li", "::9", T0) > 0
    assert limits.begin("chen", "::1", T0) == 0


def test_a_success_takes_its_attempts_back() -> None:
    limits = SignInLimits()
    for _ in range(100):
        for _ in range(ACCOUNT_MAX):
            assert limits.begin("chen", "::1", T0) == 0
            limits.succeeded("chen", "::1")


def test_what_is_remembered_is_bounded() -> None:
    limits = SignInLimits()
    for number in range(KEPT_MAX + 500):
        limits.begin(f"user{number}", f"::{number}", T0 + number * WITHIN_MS)
    assert len(limits._accounts._tried) <= KEPT_MAX and len(limits._addresses._tried) <= KEPT_MAX
