"""Frames as InfluxDB's line protocol: a line a reading, a field a metric. Pure.

    readings,device=dev-1,gateway=gw-1 temperature=21.5,water_leak=0i,spot_status="free" 1790000000000000017

Two points of one series and time would become one. So a reading's time is its millisecond plus its number among the
readings of its epoch and lane, in nanoseconds: the same at every replay, another for every reading. See decision 011.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote
from zlib import crc32

import numpy as np

from cloud_api.telemetry.columns import Longs, longs, numbers, observed_ms
from contracts.columns import BOOLEAN, ENUM, NUMBER_FLOAT, TEXT, Group, MetricColumn
from contracts.frame import Columns, FrameHeader
from contracts.reading import Quality
from contracts.vocabulary import METRICS_BY_NUMBER

READINGS = "readings"
NS_A_MS = 1_000_000
T_MS_MIN, T_MS_MAX = -9_223_372_036_853, 9_223_372_036_853
"""What a signed 64-bit count of nanoseconds can hold: the years 1678 to 2262."""

_SPECIAL = re.compile(r"""[\x00-\x20\x7f,=\\"'%]""")
"""Characters of an id that line protocol or InfluxQL read otherwise, or can't hold at all."""


@lru_cache(maxsize=65_536)
def tag(name: str) -> str:
    """An id as a tag's value, and as a literal in InfluxQL: special characters in percent form, so no two ids meet."""
    return _SPECIAL.sub(lambda found: quote(found[0], safe=""), name) or "%"


def quality_field(metric: str) -> str:
    """The field that holds a metric's quality, where it is not good or there is no value."""
    return f"{metric}.quality"


def slot_of(header: FrameHeader) -> int:
    """The nanosecond in its millisecond that the frame's first reading takes; the next ones follow, and wrap around."""
    return (header.samples_before + crc32(f"{header.epoch}{header.lane}".encode())) % NS_A_MS


class Field(NamedTuple):
    """One metric of a block.

    form    how a value stands in a line, to be filled in by ``%``
    values  a value a reading
    odd     reading -> what stands there instead: where there is no value, or its quality isn't good
    """

    metric: str
    form: str
    values: list[Any]
    odd: dict[int, str]

    def part(self, reading: int) -> str:
        """What stands in this reading's line."""
        return self.odd.get(reading) or self.form % self.values[reading]


class Block(NamedTuple):
    """Readings of one shape and frame.

    devices  the external id a reading
    t_ms     event time a reading
    lines    a line a reading
    """

    gateway: str
    devices: list[str]
    t_ms: list[int]
    keys: list[str]
    fields: list[Field]
    times: list[int]
    lines: list[str]

    def line(self, reading: int, field: Field) -> str:
        """The line of one metric alone."""
        return f"{self.keys[reading]} {field.part(reading)} {self.times[reading]}"


def blocks_of(columns: Columns) -> Iterator[Block]:
    """A frame's readings in the order of its groups. Times outside T_MS_MIN..T_MS_MAX make no sense as lines."""
    first = slot_of(columns.header)
    gateway = columns.header.gateway
    keys = [f"{READINGS},device={tag(device)},gateway={tag(gateway)}" for device in columns.devices]
    for group in columns.groups:
        devices = longs(group.device_index, group.count).tolist()
        t_ms = observed_ms(group)
        slots = (np.arange(first, first + group.count, dtype=np.int64)) % NS_A_MS
        first += group.count
        yield _block(
            gateway, [columns.devices[at] for at in devices], t_ms, [keys[at] for at in devices], group,
            (t_ms * NS_A_MS + slots).tolist(),
        )  # fmt: skip


def _block(gateway: str, devices: list[str], t_ms: Longs, keys: list[str], group: Group, times: list[int]) -> Block:
    fields = [_field(column, group.count) for column in group.metrics]
    form = f"%s {','.join(field.form for field in fields)} %d"
    lines = list(map(form.__mod__, zip(keys, *(field.values for field in fields), times, strict=True)))
    for reading in set[int]().union(*(field.odd for field in fields)):
        lines[reading] = f"{keys[reading]} {','.join(field.part(reading) for field in fields)} {times[reading]}"
    return Block(gateway, devices, t_ms.tolist(), keys, fields, times, lines)


def _field(column: MetricColumn, count: int) -> Field:
    """Numbers always as floats, booleans as the integers 0 and 1, enums and texts as strings: a type never changes."""
    name = METRICS_BY_NUMBER[column.metric].name
    values: list[Any]
    if column.kind in (ENUM, TEXT):
        words = METRICS_BY_NUMBER[column.metric].members if column.kind == ENUM else column.texts
        said = [f'"{_escaped(word)}"' for word in words]
        form, values = "%s", [said[at] for at in longs(column.raw, count).tolist()]
    elif column.kind == NUMBER_FLOAT or column.scale:
        form, values = "%r", numbers(column, count).tolist()
    else:
        form, values = "%di" if column.kind == BOOLEAN else "%d", longs(column.raw, count).tolist()
    field = Field(name, f"{name}={form}", values, {})
    gone = set(column.absent)
    for at in gone:
        field.odd[at] = f"{quality_field(name)}={Quality.GOOD:d}i"
    for at, quality, _reason in column.doubts:
        doubt = f"{quality_field(name)}={quality}i"
        if at in gone:
            field.odd[at] = doubt
        elif quality:
            field.odd[at] = f"{field.form % values[at]},{doubt}"
    return field


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
