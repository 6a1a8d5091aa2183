"""Which values of a frame are the latest of their device and metric. Pure."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from contracts.columns import BOOLEAN, ENUM, NUMBER_FLOAT, NUMBER_SCALED, Group, MetricColumn, floats_of
from contracts.frame import Columns
from contracts.reading import Quality, Value
from contracts.vocabulary import METRICS_BY_NUMBER

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


def latest_of_all(frames: Sequence[Columns]) -> dict[tuple[str, str], dict[str, LiveValue]]:
    """(gateway, device) -> its metrics' latest values over all these frames, which are in the order of the log.

    From the last to the first: most of what an earlier frame says is known by then to be old, and is not opened.
    """
    found: dict[tuple[str, str], dict[str, LiveValue]] = {}
    newest_ms: dict[tuple[str, str, tuple[int, ...]], int] = {}
    for columns in reversed(frames):
        gateway = columns.header.gateway
        for group in reversed(columns.groups):
            shape = tuple([column.metric for column in group.metrics])
            observed = observed_times(group)
            indices, rows = [], []
            for device, row in latest_rows(group).items():
                key = (gateway, columns.devices[device], shape)
                if key not in newest_ms or observed[row] > newest_ms[key]:
                    newest_ms[key] = observed[row]
                    indices.append(device)
                    rows.append(row)
            for name, metrics in values_of(columns.devices, group, indices, rows) if rows else ():
                known = found.setdefault((gateway, name), {})
                for metric, value in metrics.items():
                    if metric not in known or value.observed_ms > known[metric].observed_ms:
                        known[metric] = value
    return found


def values_of(
    devices: Sequence[str], group: Group, indices: Sequence[int], rows: Sequence[int]
) -> Iterator[tuple[str, dict[str, LiveValue]]]:
    """(device, its metrics' values) of these rows of a group; indices: of each row's device in ``devices``."""
    observed = observed_times(group)
    after = group.received_after_ms.unpack(group.count)
    names = [METRICS_BY_NUMBER[column.metric].name for column in group.metrics]
    values = [values_at(column, group.count, rows) for column in group.metrics]
    doubts = [{row: (Quality(quality), reason) for row, quality, reason in column.doubts} for column in group.metrics]
    for place, (device, row) in enumerate(zip(indices, rows, strict=True)):
        observed_ms = observed[row]
        received_ms = observed_ms + after[row]
        yield (
            devices[device],
            {
                name: LiveValue(picked[place], observed_ms, received_ms, *doubt.get(row, _NO_DOUBT))
                for name, picked, doubt in zip(names, values, doubts, strict=True)
            },
        )


def observed_times(group: Group) -> list[int]:
    """Event time of each row, ms UTC."""
    times = accumulate(group.observed_delta_ms.unpack(group.count), initial=group.observed_ms)
    next(times)
    return list(times)


def latest_rows(group: Group) -> dict[int, int]:
    """Device -> its latest row; of the same time, the last."""
    indices = group.device_index.unpack(group.count)
    if group.observed_delta_ms.base >= 0:  # time never goes back in this group: a device's last row is its latest
        return dict(zip(indices, range(group.count), strict=True))
    observed = observed_times(group)
    rows: dict[int, int] = {}
    for row, device in enumerate(indices):
        if device not in rows or observed[row] >= observed[rows[device]]:
            rows[device] = row
    return rows


def values_at(column: MetricColumn, count: int, rows: Sequence[int]) -> list[Value | None]:
    """A column's values at these rows; None where the device had none."""
    if not column.absent:
        return _values(column, count, rows)
    absent = frozenset(column.absent)
    there = iter(_values(column, count, [row for row in rows if row not in absent]))
    return [None if row in absent else next(there) for row in rows]


def _values(column: MetricColumn, count: int, rows: Sequence[int]) -> list[Value | None]:
    if column.kind == NUMBER_FLOAT:
        floats = floats_of(column)
        return [floats[row] for row in rows]
    raw = column.raw.unpack(count)
    if column.kind == NUMBER_SCALED:
        if not column.scale:
            return [raw[row] for row in rows]
        unit = 10**column.scale
        return [raw[row] / unit for row in rows]
    if column.kind == BOOLEAN:
        return [bool(raw[row]) for row in rows]
    words = METRICS_BY_NUMBER[column.metric].members if column.kind == ENUM else column.texts
    return [words[raw[row]] for row in rows]
