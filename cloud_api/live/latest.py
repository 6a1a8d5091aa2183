"""Which values of a frame are the latest of their device and metric. Pure."""

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from contracts.frame import BOOLEAN, ENUM, NUMBER_FLOAT, NUMBER_SCALED, Columns, Group, MetricColumn, floats_of
from contracts.reading import Quality, Value
from contracts.vocabulary import METRICS_BY_NUMBER, Metric


class LiveValue(NamedTuple):
    """A metric's latest value.

    value        None when the device said that it has no valid one
    observed_ms  event time; received_ms: when the gateway took it
    """

    value: Value | None
    observed_ms: int
    received_ms: int
    quality: Quality
    reason: str


def newer(candidate: LiveValue, known: LiveValue | None) -> bool:
    """By event time; of the same time, the one that came later. Backfill never moves the present backwards."""
    return known is None or candidate.observed_ms >= known.observed_ms


def latest_of(columns: Columns) -> Iterator[tuple[str, str, LiveValue]]:
    """(device, metric, value): for each group of the frame, the latest of each of its devices."""
    for group in columns.groups:
        yield from _latest_of_group(columns.devices, group)


def _latest_of_group(devices: list[str], group: Group) -> Iterator[tuple[str, str, LiveValue]]:
    count = group.count
    observed = list(accumulate(group.observed_delta_ms.unpack(count), initial=group.observed_ms))[1:]
    after = group.received_after_ms.unpack(count)
    rows: dict[int, int] = {}
    for row, device in enumerate(group.device_index.unpack(count)):
        if device not in rows or observed[row] >= observed[rows[device]]:
            rows[device] = row
    for column in group.metrics:
        metric = METRICS_BY_NUMBER[column.metric]
        doubts = {place: (quality, reason) for place, quality, reason in column.doubts}
        absent = frozenset(column.absent)
        values = floats_of(column) if column.kind == NUMBER_FLOAT else column.raw.unpack(count)
        for device, row in rows.items():
            quality, reason = doubts.get(row, (0, ""))
            value = None if row in absent else _value(column, metric, values[row])
            yield (
                devices[device],
                metric.name,
                LiveValue(value, observed[row], observed[row] + after[row], Quality(quality), reason),
            )


def _value(column: MetricColumn, metric: Metric, raw: float) -> Value:
    if column.kind == NUMBER_SCALED:
        return raw / 10**column.scale if column.scale else int(raw)
    if column.kind == NUMBER_FLOAT:
        return raw
    if column.kind == BOOLEAN:
        return bool(raw)
    return metric.members[int(raw)] if column.kind == ENUM else column.texts[int(raw)]
