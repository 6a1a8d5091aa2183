"""What is remembered of a device so that its word can be judged: a bounded past of each metric. Pure.

Samples are taken in the order in which frames are stored; one that is older than the newest of its metric (backfill) is
passed over, because quality is a word on the present.
"""

from bisect import bisect_left
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import msgspec

from contracts.reading import Value
from contracts.vocabulary import HOUR_MS

POINTS_MAX = 32
HOURS_MAX = 48
HEARD_MAX = 16


class Hour(NamedTuple):
    """A number's least and greatest value within one hour (counted from 1970), and how many samples it had."""

    hour: int
    low: float
    high: float
    samples: int


class Track(msgspec.Struct):
    """The past of one metric of one device.

    points  (t_ms, value) ascending: of a number the newest samples, of a word (enum, boolean) the times when it changed
    hours   of a number only
    """

    points: list[tuple[int, Value]] = []
    hours: list[Hour] = []
    newest_ms: int = 0

    def take(self, t_ms: int, value: Value) -> bool:
        """One more sample. False: it is not newer than what is known."""
        if t_ms <= self.newest_ms:
            return False
        self.newest_ms = t_ms
        if isinstance(value, bool | str):
            if not self.points or self.points[-1][1] != value:
                self.points.append((t_ms, value))
        else:
            self.points.append((t_ms, value))
            self._take_hour(t_ms // HOUR_MS, float(value))
        del self.points[:-POINTS_MAX]
        return True

    def _take_hour(self, hour: int, value: float) -> None:
        if self.hours and self.hours[-1].hour == hour:
            last = self.hours[-1]
            self.hours[-1] = Hour(hour, min(last.low, value), max(last.high, value), last.samples + 1)
        else:
            self.hours.append(Hour(hour, value, value, 1))
            del self.hours[:-HOURS_MAX]

    @property
    def value(self) -> Value:
        """The newest value."""
        return self.points[-1][1]

    def since(self, t_ms: int) -> list[tuple[int, Value]]:
        """The points from ``t_ms`` on."""
        return self.points[bisect_left(self.points, t_ms, key=lambda point: point[0]) :]


class DeviceTracks(msgspec.Struct):
    """All tracks of a device, and when it was last heard (its newest messages' times, ascending)."""

    metrics: dict[str, Track] = {}
    heard_ms: list[int] = []

    def take(self, metric: str, t_ms: int, value: Value | None) -> None:
        """One more sample; None: the device said that it has no valid value, which is a sign of life all the same."""
        if not self.heard_ms or t_ms > self.heard_ms[-1]:
            self.heard_ms.append(t_ms)
            del self.heard_ms[:-HEARD_MAX]
        if value is not None:
            track = self.metrics.get(metric)
            if track is None:
                track = self.metrics[metric] = Track()
            track.take(t_ms, value)

    def usual_period_ms(self) -> int | None:
        """How often it speaks: the median of its last gaps; None while too little is known."""
        gaps = [after - before for before, after in pairwise(self.heard_ms)]
        return int(median(gaps)) if len(gaps) >= 4 else None
