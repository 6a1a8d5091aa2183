"""What goes wrong with devices: they fall silent, stick, drift, and lie. The truth is never touched.

Each device has a timeline of its own: at most one fault at a time, drawn from its own stream in the order of time.
"""

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from contracts.reading import Value
from contracts.vocabulary import METRICS
from simulators.world.rhythms import DAY_MS, HOUR_MS

Says = dict[str, Value | None]


class FaultKind(NamedTuple):
    """One way to fail.

    name      silent: says nothing; stuck: repeats the old values; drift: a growing error; lie: a plainly wrong value;
              invalid: the maker's marker for "no valid value"
    every_ms  mean time between two of them, for one device
    lasts_ms  mean length
    metric    which value is wrong ("" for silent; for stuck: all that was said before)
    wrong     lie: the value told instead, or "flip"; drift: error an hour, in the metric's unit
    """

    name: str
    every_ms: int
    lasts_ms: int
    metric: str = ""
    wrong: Value = 0


def silent(every_days: float = 20, hours: float = 5) -> FaultKind:
    """The device cannot be heard: battery, radio, a network server that is away."""
    return FaultKind("silent", int(every_days * DAY_MS), int(hours * HOUR_MS))


class Faults:
    """A device's timeline of faults. ``now`` must be asked with times that do not go back."""

    def __init__(self, kinds: tuple[FaultKind, ...], random: Random, start_ms: int) -> None:
        self._kinds = kinds
        self._random = random
        self._rate = sum(1 / kind.every_ms for kind in kinds)
        self._kind: FaultKind | None = None
        self._begin_ms = start_ms
        self._end_ms = start_ms
        self._before: Says = {}
        self._draw(start_ms)

    def _draw(self, from_ms: int) -> None:
        if not self._kinds:
            return
        self._begin_ms = from_ms + int(self._random.expovariate(self._rate))
        pick = self._random.random() * self._rate
        for kind in self._kinds:
            pick -= 1 / kind.every_ms
            if pick <= 0:
                break
        self._kind = kind
        self._end_ms = self._begin_ms + int(self._random.expovariate(1 / kind.lasts_ms))

    def now(self, now_ms: int) -> FaultKind | None:
        """The fault at this time; None when the device is well."""
        while self._kind is not None and now_ms >= self._end_ms:
            self._draw(self._end_ms)
        return self._kind if self._kind is not None and now_ms >= self._begin_ms else None

    def remember(self, true: Mapping[str, Value]) -> None:
        """A well device said this: it will say it again when it sticks."""
        self._before.update(true)

    def told(self, true: Mapping[str, Value], fault: FaultKind | None, now_ms: int) -> Says:
        """What the device says where ``true`` is so; {} when it says nothing."""
        says: Says = dict(true)
        if fault is None:
            return says
        if fault.name == "silent":
            return {}
        if fault.name == "stuck":
            return {metric: self._before.get(metric, value) for metric, value in says.items()}
        if fault.metric not in says:
            return says
        value = says[fault.metric]
        if fault.name == "invalid":
            says[fault.metric] = None
        elif fault.name == "drift" and isinstance(value, int | float):
            says[fault.metric] = _drifted(fault, value, (now_ms - self._begin_ms) / HOUR_MS)
        elif fault.name == "lie":
            says[fault.metric] = _flipped(value) if fault.wrong == "flip" else fault.wrong
        return says


def _drifted(fault: FaultKind, value: float, hours: float) -> Value:
    metric = METRICS[fault.metric]
    wrong = min(metric.high, max(metric.low, value + float(fault.wrong) * hours))
    return round(wrong) if isinstance(value, int) else round(wrong, 1)


def _flipped(value: Value | None) -> Value:
    if isinstance(value, bool):
        return not value
    return "free" if value == "occupied" else "occupied"
