"""How much time a profile may take. One that takes too much is cut off, and after the third time it rests for a while.

A decode is timed by the steady clock, which costs next to nothing; a busy machine makes that look long. So a profile that
looks slow is only watched, and what counts from then on is the processor's time.
"""

import time
from collections.abc import Callable

SLOW_NS = 50_000_000
"""A thousand times what a message takes."""
CUT_NS = 100_000_000
"""Processor's time after which a message of many records is given up."""
STRIKES_MAX = 3
STRIKE_NS = 60_000_000_000
"""A strike is forgotten after this time without another."""
REST_NS = 60_000_000_000
"""The first rest; each further one is twice as long."""
REST_NS_MAX = 3_600_000_000_000


class Guard:
    """Strikes and rests of profiles, by their ids. Clocks in ns: steady, and the processor's time of this thread."""

    def __init__(
        self, steady_ns: Callable[[], int] = time.monotonic_ns, work_ns: Callable[[], int] = time.thread_time_ns
    ) -> None:
        self.steady_ns = steady_ns
        self.work_ns = work_ns
        self.watched: set[str] = set()
        self._strikes: dict[str, tuple[int, int]] = {}  # profile -> (how many, when the last)
        self._rests: dict[str, tuple[int, int]] = {}  # profile -> (until when, how long)

    def looked_slow(self, profile: str) -> None:
        """A decode has taken long by the steady clock."""
        self.watched.add(profile)

    def strike(self, profile: str) -> None:
        """A decode has taken too much of the processor's time."""
        self.watched.add(profile)
        now_ns = self.steady_ns()
        count, last_ns = self._strikes.get(profile, (0, now_ns))
        count = count + 1 if now_ns - last_ns < STRIKE_NS else 1
        self._strikes[profile] = (count, now_ns)
        if count >= STRIKES_MAX:
            del self._strikes[profile]
            _, before_ns = self._rests.get(profile, (0, REST_NS // 2))
            rest_ns = min(2 * before_ns, REST_NS_MAX)
            self._rests[profile] = (now_ns + rest_ns, rest_ns)

    def rests_s(self, profile: str) -> int:
        """For how many seconds the profile still rests, 0 when it does not."""
        until_ns, _ = self._rests.get(profile, (0, 0))
        return max(0, -(-(until_ns - self.steady_ns()) // 1_000_000_000))

    def resting(self) -> dict[str, int]:
        """The profiles that rest, and for how many seconds still."""
        return {profile: left_s for profile in self._rests if (left_s := self.rests_s(profile))}
