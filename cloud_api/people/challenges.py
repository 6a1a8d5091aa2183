"""What waits for a browser's answer: good once, for a while, for the browser that asked, and a bounded number. Pure."""

from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

HOLDS_MS = 300_000
ADDRESS_MAX = 50
"""That wait for one address: a further one takes the place of its oldest, never of another address's."""
KEPT_MAX = 10_000
"""That wait together; then the oldest goes."""

What = TypeVar("What")


class _Waiting(NamedTuple, Generic[What]):
    what: What
    address: str
    until_ms: int


class Challenges(Generic[What]):
    """By a key that only the browser which asked can name: its session's digest, or that of a cookie made for this."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, _Waiting[What]] = OrderedDict()
        self._of_address: dict[str, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, key: str, what: What, address: str, now_ms: int) -> None:
        """It waits for an answer; what waited under this key does no more."""
        self._drop(key)
        while self._waiting and next(iter(self._waiting.values())).until_ms <= now_ms:
            self._drop(next(iter(self._waiting)))
        while len(self._of_address.get(address, ())) >= ADDRESS_MAX:
            self._drop(next(iter(self._of_address[address])))
        while len(self._waiting) >= KEPT_MAX:
            self._drop(next(iter(self._waiting)))
        self._waiting[key] = _Waiting(what, address, now_ms + HOLDS_MS)
        self._of_address.setdefault(address, OrderedDict())[key] = None

    def take(self, key: str, now_ms: int) -> What | None:
        """What waits under this key, which it does no more; None: nothing, or not any longer."""
        found = self._waiting.get(key)
        self._drop(key)
        return found.what if found is not None and now_ms < found.until_ms else None

    def _drop(self, key: str) -> None:
        found = self._waiting.pop(key, None)
        if found is None:
            return
        of_address = self._of_address[found.address]
        del of_address[key]
        if not of_address:
            del self._of_address[found.address]
