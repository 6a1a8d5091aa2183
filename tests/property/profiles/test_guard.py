"""A profile that takes too long is cut off, named and rests; its neighbours do not notice."""

import json
import statistics
import time

import msgspec
import pytest

from contracts.profile import Codec, Profile
from edge_agent.profiles import ProfileError, ProfileSet, Undecodable
from edge_agent.profiles.codecs import compile_codec
from edge_agent.profiles.errors import CodecRefused
from edge_agent.profiles.guard import CUT_NS, REST_NS, STRIKES_MAX, Guard
from edge_agent.profiles.patterns import TEXT_LENGTH_MAX, compile_pattern

NOW_MS = 1_790_000_000_000
HOSTILE = {
    "profile": {"id": "evil/loops", "version": 1, "kind": "building", "en": "Evil", "zh": "恶"},
    "topics": ["evil/{dev}"],
    "identity": {"device": "{dev}-{index}"},
    "examples": [{"topic": "evil/1", "payload": {"a": [{"t": 2}]}, "expect": {"temperature": 2}}],
    "messages": [{
        "envelope": "json",
        "readings": [{
            "each": "a",
            "metrics": {"temperature": {"path": "t", "when": " or ".join(["has('a[?t==`2`] | [0]')"] * 40)}},
        }],
    }],
}  # fmt: skip
KIND = {
    "profile": {"id": "kind/one", "version": 1, "kind": "building", "en": "Kind", "zh": "善"},
    "topics": ["kind/{dev}"],
    "identity": {"device": "{dev}"},
    "examples": [{"topic": "kind/1", "payload": {"t": 2}, "expect": {"temperature": 2}}],
    "messages": [{"envelope": "json", "readings": [{"metrics": {"temperature": {"path": "t"}}}]}],
}
BOMB = json.dumps({"a": [{"t": 1}] * 1_000}).encode()


class Clock:
    """A steady clock that is set by hand, beside the real one of the processor."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def __call__(self) -> int:
        return time.monotonic_ns() + self.ahead_ns


def profiles_of(guard: Guard | None = None) -> ProfileSet:
    return ProfileSet([msgspec.convert(each, Profile) for each in (HOSTILE, KIND)], guard)


def refusal(profiles: ProfileSet, topic: str, payload: bytes) -> Undecodable:
    with pytest.raises(Undecodable) as refused:
        profiles.decode(topic, payload, NOW_MS)
    return refused.value


def test_neighbours_of_a_hostile_profile_do_not_notice() -> None:
    clock = Clock()
    profiles = profiles_of(Guard(clock))
    profiles.decode("evil/small", b'{"a":[{"t":2}]}', NOW_MS)
    waits, reasons = [], []
    began_ns = time.thread_time_ns()
    for number in range(400):
        arrived_ns = time.thread_time_ns()
        if number % 2:
            reasons.append(refusal(profiles, f"evil/{number % 7}", BOMB).reason)
        profiles.decode(f"kind/{number % 11}", b'{"t":21.5}', NOW_MS)
        waits.append(time.thread_time_ns() - arrived_ns)
    spent_ns = time.thread_time_ns() - began_ns
    assert reasons[:STRIKES_MAX] == ["profile_too_slow"] * STRIKES_MAX
    assert set(reasons[STRIKES_MAX:]) == {"profile_suspended"}
    assert spent_ns < 10 * CUT_NS, "200 hostile messages cost no more than the first few"
    assert statistics.quantiles(waits, n=100)[97] < 2_000_000
    assert "kind/one" not in profiles.guard.resting()
    assert profiles.guard.resting().keys() == {"evil/loops"}
    assert "60 s" in str(refusal(profiles, "evil/1", BOMB)) or "59 s" in str(refusal(profiles, "evil/1", BOMB))


def test_a_rest_ends_and_the_next_is_longer() -> None:
    clock = Clock()
    profiles = profiles_of(Guard(clock))
    for _ in range(STRIKES_MAX):
        assert refusal(profiles, "evil/1", BOMB).profile == "evil/loops"
    clock.ahead_ns += REST_NS + 1
    assert profiles.decode("evil/1", b'{"a":[{"t":2}]}', NOW_MS), "what is not slow is read again"
    for _ in range(STRIKES_MAX):
        assert refusal(profiles, "evil/1", BOMB).reason == "profile_too_slow"
    assert profiles.guard.rests_s("evil/loops") > 110


def test_a_machine_that_stands_still_is_not_a_slow_profile() -> None:
    """The steady clock leaps in every decode; the processor's does not."""
    steady = iter(range(0, 10**15, 10**9))
    profiles = profiles_of(Guard(lambda: next(steady)))
    for _ in range(50):
        assert profiles.decode("kind/1", b'{"t":21.5}', NOW_MS)
    assert profiles.guard.resting() == {}


@pytest.mark.parametrize(
    "pattern",
    [r"(a+)+", r"(a|a)*b", r"(?:a?){30}a{30}", r"(\w+\s?)*!", r"(a*)*", r"(.*)(.*)(.*)(.*)x", r"(?P<a>x+)\1", r"(?=a+)b",
     r"(?:(?:a|b)+c?)+", r"(?i:a+)+", r"(a{1,200}){1,200}", r"a?" * 30 + "b"],
)  # fmt: skip
def test_patterns_that_could_run_away_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?P<t>[-+]?\d++(?:\.\d++)?)\s*+(?P<unit>[A-Za-z]++)", "a" * TEXT_LENGTH_MAX),
        (r".*.*x.*", "a" * TEXT_LENGTH_MAX),
        (r"(?:\d{1,3}+,){8}end", "1," * (TEXT_LENGTH_MAX // 2)),
        (r"(?P<a>\d++),(?P<b>\d++),(?P<c>\d++),(?P<d>\d++),(?P<e>\d++)", "1" * TEXT_LENGTH_MAX),
        (r"\$GP[A-Z]{3},(?P<v>[^,*]*),[\]x]\*(?P<sum>[0-9A-F]{2})", "$GPAAA," + "," * 200),
    ],
)
def test_patterns_that_are_taken_end_soon(pattern: str, text: str) -> None:
    compiled = compile_pattern(pattern)
    began_ns = time.thread_time_ns()
    assert compiled.fullmatch(text) is None
    assert time.thread_time_ns() - began_ns < 2 * CUT_NS


def test_a_long_text_is_refused() -> None:
    decode = compile_codec(Codec(kind="text", pattern=r"(?P<a>x*)"))
    assert decode(b"x" * TEXT_LENGTH_MAX)
    with pytest.raises(CodecRefused, match="256 at most"):
        decode(b"x" * (TEXT_LENGTH_MAX + 1))


def test_a_profile_with_such_a_pattern_is_not_loaded() -> None:
    broken = {
        **KIND,
        "messages": [{**KIND["messages"][0], "envelope": "bytes", "decode": {"kind": "text", "pattern": "(a+)+"}}],
    }  # type: ignore[dict-item]
    with pytest.raises(ProfileError, match="several ways"):
        ProfileSet([msgspec.convert(broken, Profile)])
