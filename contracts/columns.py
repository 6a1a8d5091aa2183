"""A frame's columns: how a body is laid out, and what must hold of it before anybody reads it.

Errors (all FrameError, each with a snake_case ``reason``):
    FrameCorrupt    the bytes are not a frame, were altered, or contradict themselves
    VersionUnknown  a frame of another major version
"""

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated

import msgspec

from contracts.messages import Record
from contracts.reading import Clock, Quality
from contracts.vocabulary import METRICS, METRICS_BY_NUMBER, Metric

READINGS_MAX = 4_096
RECORDS_MAX = 1_024
SCALE_MAX = 9
_INTEGER_MAX = 2**62
_TIME_MS_MAX = 2**48
"""The year 10889: whatever a clock may say is before it, and no store overflows."""


class FrameError(Exception):
    """Bytes that can't be read as a frame. ``reason`` is a stable word, ``detail`` says where."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class FrameCorrupt(FrameError):
    """The bytes are not a frame, were altered, or contradict themselves."""


class VersionUnknown(FrameError):
    """The frame's major version is not ours."""


_Readings = msgspec.Meta(max_length=READINGS_MAX)
_Records = msgspec.Meta(max_length=RECORDS_MAX)
_WIDTHS = {"": 0, "B": 1, "H": 2, "I": 4, "Q": 8}

NUMBER_SCALED, NUMBER_FLOAT, BOOLEAN, ENUM, TEXT = range(5)


class Integers(msgspec.Struct, array_like=True, frozen=True):
    """n integers as ``base + offset``; offsets are unsigned, of the narrowest ``typecode`` (see array), or none."""

    base: int
    typecode: str
    offsets: bytes

    def unpack(self, count: int) -> Sequence[int]:
        """The ``count`` integers. Raises FrameCorrupt when they are not as many."""
        self.check(count)
        if not self.typecode:
            return (self.base,) * count
        base = self.base
        offsets = array(self.typecode)
        offsets.frombytes(self.offsets)
        return offsets if base == 0 else [base + offset for offset in offsets]

    def check(self, count: int) -> None:
        """Raises FrameCorrupt unless this holds ``count`` integers."""
        width = _WIDTHS.get(self.typecode)
        if width is None or len(self.offsets) != width * count:
            raise FrameCorrupt("column_length", f"{len(self.offsets)} bytes of {self.typecode!r} for {count} values")
        if not -_INTEGER_MAX <= self.base <= _INTEGER_MAX:
            raise FrameCorrupt("integer_too_large", str(self.base))

    def widest(self) -> tuple[int, int]:
        """Between which numbers all of them are, by their type alone."""
        return self.base, self.base + 2 ** (8 * _WIDTHS[self.typecode]) - 1


class MetricColumn(msgspec.Struct, array_like=True):
    """The values of one metric in one group, a value a reading.

    metric   its number in the vocabulary
    kind     NUMBER_SCALED (value = raw / 10**scale), NUMBER_FLOAT (``floats``), BOOLEAN (0, 1), ENUM (member's place),
             TEXT (place in ``texts``)
    absent   places that have no value (their raw number means nothing)
    doubts   (place, quality, reason) of values that are not GOOD
    """

    metric: int
    kind: int
    scale: int
    raw: Integers
    floats: bytes
    texts: Annotated[list[str], _Readings]
    absent: Annotated[list[int], _Readings]
    doubts: Annotated[list[tuple[int, int, str]], _Readings]


class Group(msgspec.Struct, array_like=True):
    """Readings of one shape. observed_delta_ms: from the reading before in this group, the first from observed_ms."""

    count: Annotated[int, msgspec.Meta(ge=1, le=READINGS_MAX)]
    device_index: Integers
    observed_ms: int
    observed_delta_ms: Integers
    received_after_ms: Integers  # received_ms - observed_ms
    clock: Integers
    metrics: Annotated[list[MetricColumn], msgspec.Meta(min_length=1, max_length=len(METRICS))]


class Body(msgspec.Struct, array_like=True):
    devices: Annotated[list[str], _Readings]
    groups: Annotated[list[Group], _Readings]
    order: Integers  # for each reading, as given: its group
    records: Annotated[list[Record], _Records]


def floats_of(column: MetricColumn) -> "array[float]":
    """The doubles of a NUMBER_FLOAT column."""
    doubles = array("d")
    doubles.frombytes(column.floats)
    return doubles


def check_body(body: Body, samples_said: int) -> None:
    """Pair of the writer's promises: every column as long as its group, every place inside its list, sums as said."""
    samples = 0
    for group in body.groups:
        samples += group.count * len(group.metrics)
        _check_places(group.device_index, group.count, len(body.devices), "device")
        _check_places(group.clock, group.count, len(Clock), "clock")
        _check_times(group)
        for column in group.metrics:
            _check_metric(column, group.count)
    if samples != samples_said:
        raise FrameCorrupt("samples_wrong", f"header says {samples_said}, body has {samples}")
    count = sum(group.count for group in body.groups)
    if count > READINGS_MAX:
        raise FrameCorrupt("too_many_readings", str(count))
    _check_places(body.order, count, len(body.groups), "group")
    tally = [0] * len(body.groups)
    for place in body.order.unpack(count):
        tally[place] += 1
    if tally != [group.count for group in body.groups]:
        raise FrameCorrupt("order_wrong", "readings a group")


def _check_times(group: Group) -> None:
    """Every time is one that a store can hold. What a day's readings need is shown by the columns' types alone."""
    deltas, after, count = group.observed_delta_ms, group.received_after_ms, group.count
    deltas.check(count)
    after.check(count)
    low, high = deltas.widest()
    first, last = group.observed_ms + count * min(0, low), group.observed_ms + count * max(0, high)
    if first < 0 or last > _TIME_MS_MAX:
        observed = list(accumulate(deltas.unpack(count), initial=group.observed_ms))
        first, last = min(observed), max(observed)
    low, high = after.widest()
    if first + low < 0 or last + high > _TIME_MS_MAX:
        waits = after.unpack(count)
        low, high = min(waits), max(waits)
    if min(first, first + low) < 0 or max(last, last + high) > _TIME_MS_MAX:
        raise FrameCorrupt("time_out_of_range", f"between {first} and {last}, received between {low} and {high} later")


def _check_metric(column: MetricColumn, count: int) -> None:
    metric = METRICS_BY_NUMBER.get(column.metric)
    if metric is None:
        raise FrameCorrupt("metric_unknown", str(column.metric))
    if column.kind == NUMBER_FLOAT and metric.type == "number":
        if len(column.floats) != 8 * count:
            raise FrameCorrupt("column_length", metric.name)
        doubles = floats_of(column)
        if not all(metric.low <= value <= metric.high for value in doubles):  # NaN fails it too
            _refuse_unless_absent(metric, doubles, column.absent)
    elif column.kind == NUMBER_SCALED and metric.type == "number":
        if not 0 <= column.scale <= SCALE_MAX:
            raise FrameCorrupt("scale_wrong", f"{metric.name} {column.scale}")
        factor = 10**column.scale
        values = column.raw.unpack(count)
        if not (metric.low * factor <= min(values) and max(values) <= metric.high * factor):
            _refuse_unless_absent(metric, [value / factor for value in values], column.absent)
    elif column.kind == BOOLEAN and metric.type == "boolean":
        _check_places(column.raw, count, 2, metric.name)
    elif column.kind == ENUM and metric.type == "enum":
        _check_places(column.raw, count, len(metric.members), metric.name)
    elif column.kind == TEXT and metric.type == "text":
        _check_places(column.raw, count, len(column.texts), metric.name)
    else:
        raise FrameCorrupt("kind_wrong", f"{metric.name} {column.kind}")
    for place in (*column.absent, *(doubt[0] for doubt in column.doubts)):
        if not 0 <= place < count:
            raise FrameCorrupt("place_wrong", metric.name)
    for _, quality, _reason in column.doubts:
        if not 0 <= quality < len(Quality):
            raise FrameCorrupt("quality_wrong", f"{metric.name} {quality}")


def _refuse_unless_absent(metric: Metric, values: Sequence[float], absent: Sequence[int]) -> None:
    gone = set(absent)
    for place, value in enumerate(values):
        if place not in gone and not metric.low <= value <= metric.high:
            raise FrameCorrupt("out_of_range", f"{metric.name} {value}")


def _check_places(places: Integers, count: int, limit: int, what: str) -> None:
    if count and (values := places.unpack(count)) and not 0 <= min(values) <= max(values) < limit:
        raise FrameCorrupt("place_wrong", what)
