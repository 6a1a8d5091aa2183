"""Passwords: length counts, what is guessed first is refused, and they are kept as argon2id."""

import asyncio
import statistics
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_api.people.passwords import LENGTH_MIN, WAITING_MAX, Busy, Passwords, password_fault

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@given(st.text(max_size=LENGTH_MIN - 1))
@settings(deadline=None)
def test_a_short_one_is_refused(password: str) -> None:
    assert str(LENGTH_MIN) in password_fault(password, "chen")


@given(st.sampled_from(["password", "qwerty", "123456", "iloveyou", "letmein", "dragon", "chen"]), st.integers(2, 9))
@settings(deadline=None)
def test_a_common_one_repeated_is_refused(word: str, times: int) -> None:
    assert password_fault(word * times, "chen")


@pytest.mark.parametrize(
    "password", ["passwordpassword", "aaaaaaaaaaaaaaaa", "123456789012", "qwertyuiop123", "linlilinlilinli"]
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    assert password_fault(password, "chen")


LONG = "x" * 20 + " lamp orbit dune " + "y" * 80


@pytest.mark.parametrize("password", ["tram ladder violet 88", "四个不相干的词语放在一起就好", LONG])
def test_no_kind_of_character_is_asked_for_and_long_ones_are_taken(password: str) -> None:
    assert password_fault(password, "chen") == ""


def test_it_is_kept_as_argon2id_with_owasps_parameters() -> None:
    async def run() -> None:
        passwords = Passwords()
        kept = await passwords.hashed("tram ladder violet 88")
        found = extract_parameters(kept)
        assert (found.type, found.memory_cost, found.time_cost, found.parallelism) == (Type.ID, 19_456, 2, 1)
        assert await passwords.verify(kept, "tram ladder violet 88")
        assert not await passwords.verify(kept, "tram ladder violet 89")
        for nobodys in (None, ""):
            assert not await passwords.verify(nobodys, "nobody has this password")
        assert passwords.is_outdated(QUICK.hash("x")) and not passwords.is_outdated(kept)

    asyncio.run(run())


def test_somebody_who_is_not_there_takes_as_long() -> None:
    """By CPU time, which a busy machine does not change: the means differ by less than 5 ms."""

    async def run() -> None:
        passwords = Passwords()
        kept = await passwords.hashed("tram ladder violet 88")
        took: dict[bool, list[float]] = {True: [], False: []}
        for number in range(40):
            is_there = number % 2 == 0
            began = time.process_time()
            assert not await passwords.verify(kept if is_there else None, "wrong")
            took[is_there].append(time.process_time() - began)
        assert abs(statistics.fmean(took[True]) - statistics.fmean(took[False])) < 0.005

    asyncio.run(run())


def test_more_than_may_wait_are_sent_away() -> None:
    async def run() -> None:
        passwords = Passwords(QUICK)
        kept = await passwords.hashed("tram ladder violet 88")
        asked = [passwords.verify(kept, "x") for _ in range(WAITING_MAX + 50)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(answer, Busy) for answer in answers) > 0
        assert {type(answer) for answer in answers} == {bool, Busy}
        assert await passwords.verify(kept, "tram ladder violet 88"), "afterwards there is room again"

    asyncio.run(run())
