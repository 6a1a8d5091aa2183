"""How often somebody may try to sign in. Pure: the time is passed in, nothing is kept but what is counted here.

An attempt counts when it begins, so that a thousand at once get no further than one after the other; a success takes it
back. Names that do not exist count like all others: the answer must not tell them apart.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

WITHIN_MS = 900_000
ACCOUNT_MAX = 5
"""Of one account from one address."""
ADDRESS_MAX = 50
"""From one address, whatever the account: a whole office may come from one."""
ALL_MAX = 500
"""Of all together. Who has signed in from his address before is not kept out by this one: else anybody could lock the
door for everybody."""
KEPT_MAX = 10_000
"""Accounts, addresses and pairs of them that are remembered; those tried longest ago go first."""

Key = TypeVar("Key", bound=Hashable)


class Window(Generic[Key]):
    """Attempts by key within the last ``WITHIN_MS``, at most ``attempts_max`` of each."""

    def __init__(self, attempts_max: int) -> None:
        self._max = attempts_max
        self._tried: OrderedDict[Key, deque[int]] = OrderedDict()

    def wait_ms(self, key: Key, now_ms: int) -> int:
        """How long until there is room for one more; 0: there is."""
        tried = self._tried.get(key)
        if tried is None or len(tried) < self._max:
            return 0
        return max(0, tried[0] + WITHIN_MS - now_ms)

    def add(self, key: Key, now_ms: int) -> None:
        """One more."""
        self._tried.setdefault(key, deque(maxlen=self._max)).append(now_ms)
        self._tried.move_to_end(key)
        while len(self._tried) > KEPT_MAX:
            self._tried.popitem(last=False)

    def take_back(self, key: Key) -> None:
        """The last one was none."""
        tried = self._tried.get(key)
        if tried:
            tried.pop()
            if not tried:
                del self._tried[key]

    def forget(self, key: Key) -> None:
        """Begin anew."""
        self._tried.pop(key, None)


class SignInLimits:
    """What of the three bounds is used up."""

    def __init__(self) -> None:
        self._accounts: Window[tuple[str, str]] = Window(ACCOUNT_MAX)
        self._addresses: Window[str] = Window(ADDRESS_MAX)
        self._all: Window[None] = Window(ALL_MAX)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, name: str, address: str, now_ms: int) -> int:
        """Somebody tries. Returns 0: he may, and it counts; else how long he has to wait, ms, and it does not."""
        account = (name, address)
        known = account in self._known
        wait_ms = max(
            self._accounts.wait_ms(account, now_ms),
            0 if known else self._addresses.wait_ms(address, now_ms),
            0 if known else self._all.wait_ms(None, now_ms),
        )
        if wait_ms:
            return wait_ms
        self._accounts.add(account, now_ms)
        self._addresses.add(address, now_ms)
        self._all.add(None, now_ms)
        return 0

    def succeeded(self, name: str, address: str) -> None:
        """It was he."""
        account = (name, address)
        self._accounts.forget(account)
        self._addresses.take_back(address)
        self._all.take_back(None)
        self._known[account] = None
        self._known.move_to_end(account)
        while len(self._known) > KEPT_MAX:
            self._known.popitem(last=False)
