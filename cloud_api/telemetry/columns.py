"""A frame's columns as arrays, and stored values as what people are shown; the same for every store."""

from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.columns import NUMBER_FLOAT, NUMBER_SCALED, Group, Integers, MetricColumn
from contracts.reading import Value
from contracts.vocabulary import Metric

Longs = npt.NDArray[np.int64]

_DTYPES = {"B": np.uint8, "H": np.uint16, "I": np.uint32, "Q": np.uint64}


def longs(column: Integers, count: int) -> Longs:
    """The column's ``count`` integers."""
    if not column.typecode:
        return np.full(count, column.base, np.int64)
    return np.frombuffer(column.offsets, _DTYPES[column.typecode]).astype(np.int64) + column.base


def observed_ms(group: Group) -> Longs:
    """Event times of a group's readings."""
    return np.cumsum(longs(group.observed_delta_ms, group.count)) + group.observed_ms


def numbers(column: MetricColumn, count: int) -> npt.NDArray[np.float64]:
    """Numbers as they are, booleans as 0 and 1, enums as the member's place; NaN where there is no value."""
    if column.kind == NUMBER_FLOAT:
        values = np.frombuffer(column.floats, np.float64)
    else:
        values = longs(column.raw, count).astype(np.float64)
        if column.kind == NUMBER_SCALED and column.scale:
            values = values / 10**column.scale
    if column.absent:
        values = values.copy()
        values[column.absent] = np.nan
    return values


def shown(metric: Metric, value: Any) -> Value | None:
    """A stored value in the metric's own type. Enums may come as their word or as the member's place."""
    if value is None or metric.type == "text" or isinstance(value, str):
        return value  # type: ignore[no-any-return]
    if metric.type == "boolean":
        return bool(value)
    if metric.type == "enum":
        return metric.members[int(value)]
    return int(value) if value == int(value) and metric.decimals == 0 else float(value)
