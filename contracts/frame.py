"""The frame: one immutable batch of readings and records, as the outbox commits it and the frame log keeps it.

A frame is a MessagePack array ``[version, gateway, epoch, lane, seq, born_ms, samples, samples_before, digest, body]``.
``digest`` is BLAKE2b-128 over the header fields and the body; ``body`` is zstd over MessagePack, columnar: readings of
one shape (the same metrics in the same order) form a group, and each of its columns is one run of scaled integers.
A column costs as many bytes a value as its span needs, and none when it is constant. docs/frame.md draws it.

Exactness: ``decode_frame(encode_frame(x))`` equals x. A number is kept as ``raw * 10**-scale`` only where that gives
the same float back for the whole column; a column for which no scale up to 9 does is kept as IEEE doubles.

Errors (all FrameError, each with a snake_case ``reason``):
    FrameCorrupt    the bytes are not a frame, were altered, or contradict themselves
    VersionUnknown  a frame of another major version
"""

import sys
from array import array
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import Annotated, NamedTuple

import msgspec
import zstandard

from contracts.messages import Record
from contracts.reading import Clock, Quality, Reading, Sample, Value
from contracts.topics import LANES
from contracts.vocabulary import METRICS, METRICS_BY_NUMBER, Metric

VERSION = 1
FRAME_BYTES_MAX = 262_144
BODY_BYTES_MAX = 1_048_576
READINGS_MAX = 4_096
SAMPLES_MAX = 16_384
RECORDS_MAX = 1_024
SCALE_MAX = 9
_EXACT_INTEGER_MAX = 2**53  # beyond it a double no longer holds every integer
_SEQ_MAX = 2**63 - 1

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("frames are little endian; this machine needs a byteswap in contracts.frame")


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


class FrameTooLarge(ValueError):
    """These readings and records do not fit into one frame; encode them as two."""


class FrameHeader(NamedTuple):
    """What a frame says of itself.

    epoch           16 hex characters, born at random with the outbox file
    seq             1, 2, 3... in each (epoch, lane)
    born_ms         when the gateway committed it, ms UTC
    samples         samples in this frame (records count none)
    samples_before  samples in all earlier frames of the same epoch and lane
    """

    gateway: str
    epoch: str
    lane: str
    seq: int
    born_ms: int
    samples: int
    samples_before: int


def frame_name(gateway: str, epoch: str, lane: str, seq: int) -> str:
    """A frame's name in logs, the same in both programs: ``gateway/epoch/lane/seq``."""
    return f"{gateway}/{epoch}/{lane}/{seq}"


class Frame(NamedTuple):
    """A frame, unpacked to readings and records in the order in which they were given."""

    header: FrameHeader
    readings: tuple[Reading, ...]
    records: tuple[Record, ...]


# --- the body's columns ---

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


class _Body(msgspec.Struct, array_like=True):
    devices: Annotated[list[str], _Readings]
    groups: Annotated[list[Group], _Readings]
    order: Integers  # for each reading, as given: its group
    records: Annotated[list[Record], _Records]


class Columns(NamedTuple):
    """A frame unpacked to its columns only, for readers that work on whole columns; all lengths and places checked."""

    header: FrameHeader
    devices: list[str]
    groups: list[Group]
    order: Integers
    records: tuple[Record, ...]


_packer = msgspec.msgpack.Encoder()
_body_reader = msgspec.msgpack.Decoder(_Body)
_wire_reader = msgspec.msgpack.Decoder(tuple[int, str, str, int, int, int, int, int, bytes, bytes])
_version_reader = msgspec.msgpack.Decoder(list[msgspec.Raw])


def floats_of(column: MetricColumn) -> "array[float]":
    """The doubles of a NUMBER_FLOAT column."""
    doubles = array("d")
    doubles.frombytes(column.floats)
    return doubles


# --- writing ---


def encode_frame(
    gateway: str,
    epoch: str,
    lane: str,
    seq: int,
    born_ms: int,
    samples_before: int,
    readings: Sequence[Reading],
    records: Sequence[Record],
) -> bytes:
    """Pack readings and records to the bytes that travel and are kept.

    Every metric must be in the vocabulary and every value in its bounds (``vocabulary.fault_of``); what comes in from
    outside is checked before, so KeyError and ValueError here are our own mistakes. Raises FrameTooLarge when it does
    not fit into one frame (READINGS_MAX, SAMPLES_MAX, BODY_BYTES_MAX, FRAME_BYTES_MAX).
    """
    samples = sum(len(reading.samples) for reading in readings)
    if len(readings) > READINGS_MAX or samples > SAMPLES_MAX or len(records) > RECORDS_MAX:
        raise FrameTooLarge(f"{len(readings)} readings, {samples} samples, {len(records)} records")
    packed = _packer.encode(_pack_body(readings, records))
    if len(packed) > BODY_BYTES_MAX:
        raise FrameTooLarge(f"body of {len(packed)} bytes")
    body = zstandard.ZstdCompressor(level=3).compress(packed)
    header = (VERSION, gateway, epoch, LANES.index(lane), seq, born_ms, samples, samples_before)
    frame = _packer.encode((*header, _digest(header, body), body))
    if len(frame) > FRAME_BYTES_MAX:
        raise FrameTooLarge(f"frame of {len(frame)} bytes")
    return frame


def _digest(header: tuple[int | str, ...], body: bytes) -> bytes:
    digest = blake2b(_packer.encode(header), digest_size=16)
    digest.update(body)
    return digest.digest()


def _pack_body(readings: Sequence[Reading], records: Sequence[Record]) -> _Body:
    devices: dict[str, int] = {}
    shapes: dict[tuple[str, ...], list[Reading]] = {}
    shape_places: dict[tuple[str, ...], int] = {}
    order: list[int] = []
    for reading in readings:
        devices.setdefault(reading.device, len(devices))
        shape = tuple([sample[0] for sample in reading.samples])
        order.append(shape_places.setdefault(shape, len(shape_places)))
        shapes.setdefault(shape, []).append(reading)
    groups = [_pack_group(shape, members, devices) for shape, members in shapes.items()]
    return _Body(list(devices), groups, _pack_integers(order), list(records))


def _pack_group(shape: tuple[str, ...], readings: list[Reading], devices: dict[str, int]) -> Group:
    observed = [reading.observed_ms for reading in readings]
    return Group(
        len(readings),
        _pack_integers([devices[reading.device] for reading in readings]),
        observed[0],
        _pack_integers([0, *(later - earlier for earlier, later in pairwise(observed))]),
        _pack_integers([reading.received_ms - reading.observed_ms for reading in readings]),
        _pack_integers([reading.clock for reading in readings]),
        [_pack_metric(METRICS[name], [reading.samples[at] for reading in readings]) for at, name in enumerate(shape)],
    )


def _pack_integers(values: Sequence[int]) -> Integers:
    if not values:
        return Integers(0, "", b"")
    base = min(values)
    span = max(values) - base
    if span == 0:
        return Integers(int(base), "", b"")
    typecode = "B" if span < 1 << 8 else "H" if span < 1 << 16 else "I" if span < 1 << 32 else "Q"
    return Integers(int(base), typecode, array(typecode, [value - base for value in values]).tobytes())


def _pack_metric(metric: Metric, samples: list[Sample]) -> MetricColumn:
    values = [sample[1] for sample in samples]
    absent = [place for place, value in enumerate(values) if value is None] if None in values else []
    doubts = [(at, int(s[2]), s[3]) for at, s in enumerate(samples) if s[2] or s[3]]
    column = MetricColumn(metric.number, TEXT, 0, Integers(0, "", b""), b"", [], absent, doubts)
    if metric.type == "number":
        filled = [0 if value is None else value for value in values] if absent else values
        _pack_numbers(column, filled, metric.decimals)  # type: ignore[arg-type]
    elif metric.type == "boolean":
        column.kind = BOOLEAN
        column.raw = _pack_integers([1 if value else 0 for value in values])
    elif metric.type == "enum":
        column.kind = ENUM
        places: dict[Value | None, int] = {member: place for place, member in enumerate(metric.members)}
        places[None] = 0
        column.raw = _pack_integers([places[value] for value in values])
    else:
        texts: dict[Value | None, int] = {}
        column.raw = _pack_integers([texts.setdefault(value or "", len(texts)) for value in values])
        column.texts = list(texts)  # type: ignore[arg-type]
    return column


def _pack_numbers(column: MetricColumn, values: list[int | float], decimals: int) -> None:
    for scale in (decimals, *range(SCALE_MAX + 1)):
        factor = 10**scale
        raw = [round(value * factor) for value in values]
        exact = raw == values if scale == 0 else [number / factor for number in raw] == values
        if exact and max(map(abs, raw)) <= _EXACT_INTEGER_MAX:
            column.kind, column.scale, column.raw = NUMBER_SCALED, scale, _pack_integers(raw)
            return
    column.kind, column.floats = NUMBER_FLOAT, array("d", values).tobytes()


# --- reading ---


def read_header(payload: bytes) -> FrameHeader:
    """The header of a frame whose size, version and digest are right; the body is not opened. Raises FrameError."""
    return _open(payload)[0]


def decode_frame(payload: bytes) -> Frame:
    """Read one frame as the gateway committed it. Raises FrameError and nothing else; memory is bounded."""
    columns = decode_columns(payload)
    shelves = [iter(_unpack_group(group, columns.devices)) for group in columns.groups]
    order = columns.order.unpack(sum(group.count for group in columns.groups))
    return Frame(columns.header, tuple([next(shelves[place]) for place in order]), columns.records)


def decode_columns(payload: bytes) -> Columns:
    """Read one frame to its columns, with every length and place checked. Raises FrameError and nothing else."""
    header, packed = _open(payload)
    try:
        size = zstandard.get_frame_parameters(packed).content_size
        if size > BODY_BYTES_MAX:  # also when the size is not given: it then reads as 2**64 - 1
            raise FrameCorrupt("body_too_large", f"{size} bytes")
        unpacked = zstandard.ZstdDecompressor(max_window_size=1 << 23).decompress(
            packed, max_output_size=BODY_BYTES_MAX, allow_extra_data=False
        )
        body = _body_reader.decode(unpacked)
    except zstandard.ZstdError as error:
        raise FrameCorrupt("body_zstd", str(error)) from error
    except (msgspec.MsgspecError, RecursionError, OverflowError, UnicodeDecodeError) as error:
        raise FrameCorrupt("body_invalid", str(error)) from error
    _check(header, body)
    return Columns(header, body.devices, body.groups, body.order, tuple(body.records))


def _open(payload: bytes) -> tuple[FrameHeader, bytes]:
    if len(payload) > FRAME_BYTES_MAX:
        raise FrameCorrupt("too_large", f"{len(payload)} bytes")
    try:
        wire = _wire_reader.decode(payload)
    except (msgspec.MsgspecError, RecursionError, OverflowError, UnicodeDecodeError) as error:
        version = _version_of(payload)
        if version not in (None, VERSION):
            raise VersionUnknown("version_unknown", f"version {version}") from error
        raise FrameCorrupt("not_a_frame", str(error)) from error
    version, gateway, epoch, lane, seq, born_ms, samples, samples_before, digest, body = wire
    if version != VERSION:
        raise VersionUnknown("version_unknown", f"version {version}")
    if digest != _digest(wire[:8], body):
        raise FrameCorrupt("digest_wrong", f"{gateway} {epoch} {lane} {seq}")
    if not (0 <= lane < len(LANES) and 0 < seq <= _SEQ_MAX and 0 <= samples <= SAMPLES_MAX and samples_before >= 0):
        raise FrameCorrupt("header_invalid", f"lane {lane}, seq {seq}, samples {samples}, before {samples_before}")
    if len(epoch) != 16 or not epoch.isalnum() or samples_before > _SEQ_MAX or not 0 <= born_ms <= _SEQ_MAX:
        raise FrameCorrupt("header_invalid", f"epoch {epoch[:32]!r}")
    return FrameHeader(gateway, epoch, LANES[lane], seq, born_ms, samples, samples_before), body


def _version_of(payload: bytes) -> int | None:
    try:
        return msgspec.msgpack.decode(_version_reader.decode(payload)[0], type=int)
    except (msgspec.MsgspecError, IndexError, RecursionError):
        return None


def _check(header: FrameHeader, body: _Body) -> None:
    """Pair of the writer's promises: every column as long as its group, every place inside its list, sums as said."""
    samples = 0
    for group in body.groups:
        samples += group.count * len(group.metrics)
        _check_places(group.device_index, group.count, len(body.devices), "device")
        _check_places(group.clock, group.count, len(Clock), "clock")
        for times in (group.observed_delta_ms, group.received_after_ms):
            times.check(group.count)
        for column in group.metrics:
            _check_metric(column, group.count)
    if samples != header.samples:
        raise FrameCorrupt("samples_wrong", f"header says {header.samples}, body has {samples}")
    count = sum(group.count for group in body.groups)
    if count > READINGS_MAX:
        raise FrameCorrupt("too_many_readings", str(count))
    _check_places(body.order, count, len(body.groups), "group")
    tally = [0] * len(body.groups)
    for place in body.order.unpack(count):
        tally[place] += 1
    if tally != [group.count for group in body.groups]:
        raise FrameCorrupt("order_wrong", "readings a group")


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


def _unpack_group(group: Group, devices: list[str]) -> list[Reading]:
    count = group.count
    columns = [_unpack_metric(column, count) for column in group.metrics]
    observed = accumulate(group.observed_delta_ms.unpack(count), initial=group.observed_ms)
    next(observed)  # the group's own time, before its first delta
    return [
        Reading(devices[device], observed_ms, observed_ms + after_ms, Clock(clock), samples)
        for device, observed_ms, after_ms, clock, samples in zip(
            group.device_index.unpack(count),
            observed,
            group.received_after_ms.unpack(count),
            group.clock.unpack(count),
            zip(*columns, strict=True),
            strict=True,
        )
    ]


def _unpack_metric(column: MetricColumn, count: int) -> list[Sample]:
    metric = METRICS_BY_NUMBER[column.metric]
    values: list[Value | None]
    if column.kind == NUMBER_FLOAT:
        values = list(floats_of(column))
    else:
        raw = column.raw.unpack(count)
        if column.kind == NUMBER_SCALED:
            factor = 10**column.scale
            values = [number / factor for number in raw] if column.scale else list(raw)
        elif column.kind == BOOLEAN:
            values = [number == 1 for number in raw]
        elif column.kind == ENUM:
            values = [metric.members[number] for number in raw]
        else:
            values = [column.texts[number] for number in raw]
    for place in column.absent:
        values[place] = None
    samples = [Sample(metric.name, value) for value in values]
    for place, quality, reason in column.doubts:
        samples[place] = Sample(metric.name, values[place], Quality(quality), reason)
    return samples
