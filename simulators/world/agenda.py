"""The world's agenda: what happens next, in virtual time. A heap; ties go by name, so the order never depends on luck."""

import heapq
from collections.abc import Callable


class Agenda:
    """Holds what is to happen. ``now_ms`` is virtual, ms UTC, and only ``take`` moves it."""

    def __init__(self, start_ms: int) -> None:
        self.now_ms = start_ms
        self._heap: list[tuple[int, str, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when_ms: int, name: str, act: Callable[[], None]) -> None:
        """``act()`` at ``when_ms`` (not before now). ``name``: whose act it is, which orders acts of one time."""
        self._count += 1
        heapq.heappush(self._heap, (max(int(when_ms), self.now_ms), name, self._count, act))

    def after(self, wait_ms: float, name: str, act: Callable[[], None]) -> None:
        """``act()`` when ``wait_ms`` have passed."""
        self.at(self.now_ms + int(wait_ms), name, act)

    def next_ms(self) -> int | None:
        """When the next act is due; None when there is none."""
        return self._heap[0][0] if self._heap else None

    def take(self) -> Callable[[], None]:
        """The next act, and move ``now_ms`` to its time. Raises IndexError when there is none."""
        self.now_ms, _, _, act = heapq.heappop(self._heap)
        return act
