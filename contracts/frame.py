"""The frame: one immutable batch of readings and records, as the outbox commits it and the frame log keeps it.

A frame is a MessagePack array ``[version, gateway, epoch, lane, seq, born_ms, samples, samples_before, digest, body]``.
``digest`` is BLAKE2b-128 over the header fields and the body; ``body`` is zstd over MessagePack, columnar: readings of
one shape (the same metrics in the same order) form a group, and each of its columns is one run of scaled integers.
A column costs as many bytes a value as its span needs, and none when it is constant. docs/frame.md draws it.

Exactness: ``decode_frame(encode_frame(x))`` equals x. A number is kept as ``raw * 10**-scale`` only where that gives
the same float back for the whole column; a column for which no scale up to 9 does is kept as IEEE doubles.

The columns, their checks and the errors are in ``contracts.columns``.
"""

import sys
from array import array
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec
import zstandard

from contracts.columns import (
    BOOLEAN,
    ENUM,
    NUMBER_FLOAT,
    NUMBER_SCALED,
    READINGS_MAX,
    RECORDS_MAX,
    SCALE_MAX,
    TEXT,
    Body,
    FrameCorrupt,
    FrameError,
    Group,
    Integers,
    MetricColumn,
    VersionUnknown,
    check_body,
    floats_of,
)
from contracts.messages import Record
from contracts.reading import Clock, Quality, Reading, Sample, Value
from contracts.topics import LANES
from contracts.vocabulary import METRICS, METRICS_BY_NUMBER, Metric

VERSION = 1
FRAME_BYTES_MAX = 262_144
BODY_BYTES_MAX = 1_048_576
SAMPLES_MAX = 16_384
_EXACT_INTEGER_MAX = 2**53  # beyond it a double no longer holds every integer
_SEQ_MAX = 2**63 - 1

__all__ = (
    "BODY_BYTES_MAX",
    "FRAME_BYTES_MAX",
    "READINGS_MAX",
    "RECORDS_MAX",
    "SAMPLES_MAX",
    "VERSION",
    "Columns",
    "Frame",
    "FrameCorrupt",
    "FrameError",
    "FrameHeader",
    "FrameTooLarge",
    "VersionUnknown",
    "decode_columns",
    "decode_frame",
    "encode_frame",
    "frame_name",
    "read_header",
)

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("frames are little endian; this machine needs a byteswap in contracts.frame")


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


class Columns(NamedTuple):
    """A frame unpacked to its columns only, for readers that work on whole columns; all lengths and places checked."""

    header: FrameHeader
    devices: list[str]
    groups: list[Group]
    order: Integers
    records: tuple[Record, ...]


_packer = msgspec.msgpack.Encoder()
_body_reader = msgspec.msgpack.Decoder(Body)
_wire_reader = msgspec.msgpack.Decoder(tuple[int, str, str, int, int, int, int, int, bytes, bytes])
_version_reader = msgspec.msgpack.Decoder(list[msgspec.Raw])


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


def _pack_body(readings: Sequence[Reading], records: Sequence[Record]) -> Body:
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
    return Body(list(devices), groups, _pack_integers(order), list(records))


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
    check_body(body, header.samples)
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
