"""Which values of a frame are the latest of their device and metric. Pure."""

from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from contracts.columns import BOOLEAN, ENUM, NUMBER_FLOAT, NUMBER_SCALED, Group, MetricColumn, floats_of
from contracts.frame import Columns
from contracts.reading import Quality, Value
from contracts.vocabulary import METRICS_BY_NUMBER, Metric

_NO_DOUBT = (Quality.GOOD, "")


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


def latest_of(columns: Columns) -> Iterator[tuple[str, dict[str, LiveValue]]]:
    """(device, its metrics' values): for each group of the frame, the latest of each of its devices."""
    for group in columns.groups:
        yield from _latest_of_group(columns.devices, group)


def _latest_of_group(devices: list[str], group: Group) -> Iterator[tuple[str, dict[str, LiveValue]]]:
    count = group.count
    observed = list(accumulate(group.observed_delta_ms.unpack(count), initial=group.observed_ms))[1:]
    after = group.received_after_ms.unpack(count)
    rows = _latest_rows(group, observed)
    columns = [
        (METRICS_BY_NUMBER[column.metric].name, _picked(column, count, rows.values())) for column in group.metrics
    ]
    for place, (device, row) in enumerate(rows.items()):
        observed_ms = observed[row]
        received_ms = observed_ms + after[row]
        yield (
            devices[device],
            {
                name: LiveValue(picked[place][0], observed_ms, received_ms, *picked[place][1])
                for name, picked in columns
            },
        )


def _latest_rows(group: Group, observed: Sequence[int]) -> dict[int, int]:
    """The row of each device that is its latest; of the same time, the last."""
    indices = group.device_index.unpack(group.count)
    if group.observed_delta_ms.base >= 0:  # time never goes back in this group: a device's last row is its latest
        return dict(zip(indices, range(group.count), strict=True))
    rows: dict[int, int] = {}
    for row, device in enumerate(indices):
        if device not in rows or observed[row] >= observed[rows[device]]:
            rows[device] = row
    return rows


def _picked(column: MetricColumn, count: int, rows: Collection[int]) -> list[tuple[Value | None, tuple[Quality, str]]]:
    """Value and doubt of a column at these rows."""
    metric = METRICS_BY_NUMBER[column.metric]
    raw = floats_of(column) if column.kind == NUMBER_FLOAT else column.raw.unpack(count)
    doubts = {row: (Quality(quality), reason) for row, quality, reason in column.doubts}
    absent = frozenset(column.absent)
    return [(None if row in absent else _value(column, metric, raw[row]), doubts.get(row, _NO_DOUBT)) for row in rows]


def _value(column: MetricColumn, metric: Metric, raw: float) -> Value:
    if column.kind == NUMBER_SCALED:
        return raw / 10**column.scale if column.scale else int(raw)
    if column.kind == NUMBER_FLOAT:
        return raw
    if column.kind == BOOLEAN:
        return bool(raw)
    return metric.members[int(raw)] if column.kind == ENUM else column.texts[int(raw)]
