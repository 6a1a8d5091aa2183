"""How often somebody may try in vain: so many failures from one address in a while, then he waits."""

from collections import OrderedDict, deque

FAILURES_MAX = 10
WITHIN_MS = 900_000
ADDRESSES_MAX = 10_000


class Attempts:
    """Failures by address, the oldest addresses forgotten first. Successes count nothing."""

    def __init__(self) -> None:
        self._failed_ms: OrderedDict[str, deque[int]] = OrderedDict()

    def wait_ms(self, address: str, now_ms: int) -> int:
        """How long this address has to wait before it may try again; 0: it may."""
        failed = self._failed_ms.get(address)
        if failed is None or len(failed) < FAILURES_MAX:
            return 0
        return max(0, failed[0] + WITHIN_MS - now_ms)

    def failed(self, address: str, now_ms: int) -> None:
        """It has tried in vain."""
        failed = self._failed_ms.setdefault(address, deque(maxlen=FAILURES_MAX))
        failed.append(now_ms)
        self._failed_ms.move_to_end(address)
        while len(self._failed_ms) > ADDRESSES_MAX:
            self._failed_ms.popitem(last=False)
