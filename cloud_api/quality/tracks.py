"""What is remembered of a device so that its word can be judged: a bounded past of each metric. Pure.

Samples are taken in the order in which frames are stored; one that is older than the newest of its metric (backfill) is
passed over, because quality is a word on the present.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import groupby, pairwise
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

    def take(self, samples: Sequence[tuple[int, Value]]) -> None:
        """More samples (t_ms, value) as they came. One that is not newer than what is known is passed over."""
        newest_ms = self.newest_ms
        fresh = []
        for sample in samples:
            if sample[0] > newest_ms:
                newest_ms = sample[0]
                fresh.append(sample)
        if not fresh:
            return
        self.newest_ms = newest_ms
        if isinstance(fresh[0][1], bool | str):
            for sample in fresh:
                if not self.points or self.points[-1][1] != sample[1]:
                    self.points.append(sample)
        else:
            self.points += fresh[-POINTS_MAX:]
            if fresh[0][0] // HOUR_MS == newest_ms // HOUR_MS:
                self._take_hour(newest_ms // HOUR_MS, [float(value) for _, value in fresh])
            else:
                for hour, part in groupby(fresh, lambda sample: sample[0] // HOUR_MS):
                    self._take_hour(hour, [float(value) for _, value in part])
        del self.points[:-POINTS_MAX]

    def _take_hour(self, hour: int, values: Sequence[float]) -> None:
        low, high, samples = min(values), max(values), len(values)
        if self.hours and self.hours[-1].hour == hour:
            last = self.hours[-1]
            self.hours[-1] = Hour(hour, min(last.low, low), max(last.high, high), last.samples + samples)
        else:
            self.hours.append(Hour(hour, low, high, samples))
            del self.hours[:-HOURS_MAX]

    def within(self, from_ms: int, to_ms: int) -> "Track":
        """The part of it with from_ms <= t < to_ms; an hour that is not wholly in there is left out."""
        points = [point for point in self.points if from_ms <= point[0] < to_ms]
        hours = [each for each in self.hours if from_ms <= each.hour * HOUR_MS and (each.hour + 1) * HOUR_MS <= to_ms]
        return Track(points, hours, min(self.newest_ms, to_ms - 1) if points else 0)

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

    def heard(self, times_ms: Sequence[int]) -> None:
        """It spoke at these times: also a word that it has no valid value is a sign of life."""
        newest_ms = self.heard_ms[-1] if self.heard_ms else -1
        for t_ms in times_ms:
            if t_ms > newest_ms:
                newest_ms = t_ms
                self.heard_ms.append(t_ms)
        del self.heard_ms[:-HEARD_MAX]

    def take(self, metric: str, samples: Sequence[tuple[int, Value]]) -> None:
        """More samples of one metric, see ``Track.take``."""
        track = self.metrics.get(metric)
        if track is None:
            track = self.metrics[metric] = Track()
        track.take(samples)

    def within(self, from_ms: int, to_ms: int) -> "DeviceTracks":
        """The part of it with from_ms <= t < to_ms."""
        return DeviceTracks(
            {metric: track.within(from_ms, to_ms) for metric, track in self.metrics.items()},
            [t_ms for t_ms in self.heard_ms if from_ms <= t_ms < to_ms],
        )

    def followed_by(self, later: "DeviceTracks") -> "DeviceTracks":
        """Both as one past; all of ``later`` is later."""
        metrics = dict(self.metrics)
        for metric, track in later.metrics.items():
            before = metrics.get(metric, Track())
            metrics[metric] = Track(
                (before.points + track.points)[-POINTS_MAX:],
                (before.hours + track.hours)[-HOURS_MAX:],
                max(before.newest_ms, track.newest_ms),
            )
        return DeviceTracks(metrics, (self.heard_ms + later.heard_ms)[-HEARD_MAX:])

    def usual_period_ms(self) -> int | None:
        """How often it speaks: the median of its last gaps; None while too little is known."""
        gaps = [after - before for before, after in pairwise(self.heard_ms)]
        return int(median(gaps)) if len(gaps) >= 4 else None
