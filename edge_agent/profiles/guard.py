"""How much time a profile may take. One that takes too much is cut off, and after the third time it rests for a while.

A decode is timed by the steady clock, which costs next to nothing; but on a busy machine that runs on while others have
the processor. What counts is the processor's time, and asking for it is dear: so it is asked now and then, as a mark, and
once more after a decode that looks slow. Between them this thread worked no longer than the steady clock says.
"""

import time
from collections.abc import Callable

SLOW_NS = 50_000_000
"""A thousand times what a message takes."""
CUT_NS = 100_000_000
"""After so much time a message of many records is given up."""
MARK_NS = 10_000_000
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
        self.rests: dict[str, tuple[int, int]] = {}  # profile -> (until when, how long)
        self._work_ns = work_ns
        self.marked_until_ns = 0
        self._mark = (0, 0)
        self.mark(steady_ns())
        self._strikes: dict[str, tuple[int, int]] = {}  # profile -> (how many, when the last)

    def mark(self, now_ns: int) -> None:
        """A decode begins, and the last mark is of before ``marked_until_ns``."""
        self._mark = (now_ns, self._work_ns())
        self.marked_until_ns = now_ns + MARK_NS

    def worked_ns(self, began_ns: int) -> int:
        """The processor's time since then, at least: at most MARK_NS less than it was."""
        marked_ns, work_ns = self._mark
        return self._work_ns() - work_ns - (began_ns - marked_ns)

    def is_overdue(self, began_ns: int) -> bool:
        """Whether what began then is to be given up."""
        return self.steady_ns() - began_ns > CUT_NS and self.worked_ns(began_ns) > CUT_NS

    def strike(self, profile: str) -> None:
        """A decode has taken too much of the processor's time."""
        now_ns = self.steady_ns()
        count, last_ns = self._strikes.get(profile, (0, now_ns))
        count = count + 1 if now_ns - last_ns < STRIKE_NS else 1
        self._strikes[profile] = (count, now_ns)
        if count >= STRIKES_MAX:
            del self._strikes[profile]
            _, before_ns = self.rests.get(profile, (0, REST_NS // 2))
            rest_ns = min(2 * before_ns, REST_NS_MAX)
            self.rests[profile] = (now_ns + rest_ns, rest_ns)

    def rests_s(self, profile: str) -> int:
        """For how many seconds the profile still rests, 0 when it does not."""
        until_ns, _ = self.rests.get(profile, (0, 0))
        return max(0, -(-(until_ns - self.steady_ns()) // 1_000_000_000))

    def resting(self) -> dict[str, int]:
        """The profiles that rest, and for how many seconds still."""
        return {profile: left_s for profile in self.rests if (left_s := self.rests_s(profile))}
