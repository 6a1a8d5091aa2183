"""Passwords: which may be chosen, and how they are kept (argon2id, in a few threads of its own that give way to all others)."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LENGTH_MIN, LENGTH_MAX = 12, 256
SCORE_MIN = 3
"""zxcvbn's: 10^8 guesses by its lists of common passwords, words, names, dates, keyboard walks and repetitions."""
LOOKED_AT_MAX = 72
"""Characters that are estimated: longer ones take zxcvbn long, and are not weaker."""
AT_ONCE_MAX = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Each takes 19 MiB for as long as it is computed, and a core: the other half of the cores is for everything else."""
NICENESS = 10
WAITING_MAX = 64


Answer = TypeVar("Answer")


class Busy(Exception):
    """More passwords wait to be checked than may."""


def password_fault(password: str, name: str) -> str:
    """Why this can't be somebody's password: "" when it can. No classes of characters are asked for: length counts.

    Takes milliseconds: call it in a thread.
    """
    if len(password) < LENGTH_MIN:
        return f"at least {LENGTH_MIN} characters are needed; a few words do well"
    if len(password) > LENGTH_MAX:
        return f"at most {LENGTH_MAX} characters"
    from zxcvbn import zxcvbn  # word lists that only a cloud where somebody chooses a password need hold

    if zxcvbn(password[:LOOKED_AT_MAX], user_inputs=[name, "linli"])["score"] < SCORE_MIN:
        return (
            "it is among those that are guessed first, or a simple pattern; a few words that are not a saying do well"
        )
    return ""


class Passwords:
    """Makes and checks hashes. The parameters are OWASP's for argon2id; a hash made with others is made anew at sign-in."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(AT_ONCE_MAX, "passwords", initializer=_give_way)
        self._room = asyncio.Semaphore(AT_ONCE_MAX)
        self._waiting = 0
        self._nobodys = self._hasher.hash("nobody has this password")

    async def fault(self, password: str, name: str) -> str:
        """See ``password_fault``. Raises Busy."""
        async with _Turn(self):
            return await self._in_thread(password_fault, password, name)

    async def hashed(self, password: str) -> str:
        """What is kept of a password."""
        async with _Turn(self):
            return await self._in_thread(self._hasher.hash, password)

    async def verify(self, kept: str | None, password: str) -> bool:
        """Is it this one? kept: None for somebody who is not there, "" for who has no password; it takes the same time.

        Raises Busy.
        """
        async with _Turn(self):
            return await self._in_thread(self._verify, kept or self._nobodys, password) and bool(kept)

    def is_outdated(self, kept: str) -> bool:
        """Made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    async def _in_thread(self, work: Callable[..., Answer], *values: Any) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *values)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def _give_way() -> None:
    """On Linux a thread has a priority of its own: a flood of passwords does not slow what else the program does."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS))


class _Turn:
    """A place among those that are computed; Busy when too many wait."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def __aenter__(self) -> None:
        if self._passwords._waiting >= WAITING_MAX:
            raise Busy("too many passwords are being checked")
        self._passwords._waiting += 1
        try:
            await self._passwords._room.acquire()
        finally:
            self._passwords._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._passwords._room.release()
