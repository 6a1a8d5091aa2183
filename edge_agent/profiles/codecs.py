"""Binary layouts to named fields: struct, tlv, flagged, bits, text. Compiled once; strict about every byte."""

import re
import struct
from collections.abc import Callable
from typing import Any

from contracts.profile import Check, Codec, FieldSpec

Fields = dict[str, Any]
Decode = Callable[[bytes], Fields]

RECORDS_MAX = 512
"""Records in one payload; more is refused."""


class CodecRefused(Exception):
    """These bytes are not in this layout. ``reason`` is a snake_case word."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


_NUMBERS = {"u8": "B", "s8": "b", "u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q",
            "f32": "f", "f64": "d"}  # fmt: skip
_TYPE = re.compile(r"^(?:[us](?:8|16|24|32|64)|f32|f64|(?:hex|ascii|bcd|skip):[1-9]\d{0,2})$")


class _Field:
    """One field, ready to be read: its width, and how bytes become its value."""

    __slots__ = ("at", "name", "read", "width")

    def __init__(self, spec: FieldSpec, order: str) -> None:
        if not _TYPE.match(spec.type):
            raise ValueError(f"unknown field type {spec.type!r}")
        self.name = spec.name
        self.at = spec.at
        order = spec.order or order
        kind, _, count = spec.type.partition(":")
        self.width = int(count) if count else int(kind[1:]) // 8
        self.read = _scaled(_reader(kind, self.width, order), spec.scale, spec.offset)


def _reader(kind: str, width: int, order: str) -> Callable[[bytes, int], Any]:
    if kind in _NUMBERS:
        unpack_from = struct.Struct(("<" if order == "little" else ">") + _NUMBERS[kind]).unpack_from
        return lambda data, at: unpack_from(data, at)[0]
    if kind in ("u24", "s24"):
        byteorder: Any = order
        signed = kind == "s24"
        return lambda data, at: int.from_bytes(data[at : at + 3], byteorder, signed=signed)
    if kind == "ascii":
        return lambda data, at: data[at : at + width].split(b"\0", 1)[0].decode("ascii", "replace")
    if kind == "bcd":
        return lambda data, at: data[at : at + width].hex()
    return lambda data, at: data[at : at + width].hex().upper()  # hex; skip is never read


def _scaled(read: Callable[[bytes, int], Any], scale: float, offset: float) -> Callable[[bytes, int], Any]:
    if scale == 1 and offset == 0:
        return read
    divisor = round(1 / scale) if 0 < scale < 1 else 0
    if divisor and abs(divisor * scale - 1) < 1e-9:
        # dividing by 10 gives the double nearest to the decimal; multiplying by 0.1 does not
        return lambda data, at: read(data, at) / divisor + offset
    return lambda data, at: read(data, at) * scale + offset


def compile_codec(codec: Codec) -> Decode:
    """A function from payload to fields, which raises CodecRefused. Raises ValueError for a wrong specification."""
    checks = [_compile_check(check) for check in codec.checks]
    layout = {"struct": _struct, "tlv": _tlv, "flagged": _flagged, "bits": _bits, "text": _text}[codec.kind](codec)
    lengths = frozenset(codec.length)

    def decode(data: bytes) -> Fields:
        if (lengths and len(data) not in lengths) or len(data) < codec.length_min:
            raise CodecRefused("codec_refused", f"length {len(data)}")
        for check in checks:
            check(data)
        try:
            return layout(data)
        except (struct.error, IndexError) as error:
            raise CodecRefused("codec_refused", f"payload of {len(data)} bytes ends too early") from error

    return decode


def _read_fields(fields: list[_Field], data: bytes, at: int, into: Fields) -> int:
    for field in fields:
        start = at if field.at is None else field.at if field.at >= 0 else len(data) + field.at
        end = start + field.width
        if start < 0 or end > len(data):
            raise CodecRefused("codec_refused", f"payload of {len(data)} bytes ends before {field.name or 'a field'}")
        if field.name:
            into[field.name] = field.read(data, start)
        if field.at is None:
            at = end
    return at


def _struct(codec: Codec) -> Decode:
    fields = [_Field(spec, codec.order) for spec in codec.fields]
    placed = any(spec.at is not None for spec in codec.fields)
    if placed and not codec.length and not codec.length_min:
        raise ValueError("a struct with 'at' needs 'length' or 'length_min'")

    def decode(data: bytes) -> Fields:
        found: Fields = {}
        end = _read_fields(fields, data, 0, found)
        if not placed and not codec.length_min and end != len(data):
            raise CodecRefused("codec_refused", f"{len(data) - end} bytes are left over")
        return found

    return decode


def _tlv(codec: Codec) -> Decode:
    width = codec.key_bytes
    records: dict[bytes, tuple[list[_Field], str]] = {}
    for key, record in codec.records.items():
        raw = bytes.fromhex(key)
        if len(raw) != width:
            raise ValueError(f"key {key!r} is not of {width} bytes")
        records[raw] = ([_Field(spec, codec.order) for spec in record.fields], record.list)

    def decode(data: bytes) -> Fields:
        found: Fields = {}
        at = 0
        for _ in range(RECORDS_MAX):
            if at == len(data):
                return found
            known = records.get(data[at : at + width])
            if known is None:
                raise CodecRefused("codec_refused", f"unknown record {data[at : at + width].hex(' ')} at {at}")
            fields, collect = known
            into: Fields = {} if collect else found
            at = _read_fields(fields, data, at + width, into)
            if collect:
                found.setdefault(collect, []).append(into)
        raise CodecRefused("codec_refused", f"more than {RECORDS_MAX} records")

    return decode


def _flagged(codec: Codec) -> Decode:
    header = [_Field(spec, codec.order) for spec in codec.fields]
    blocks = [[_Field(spec, codec.order) for spec in block] for block in codec.blocks]
    if not header:
        raise ValueError("'flagged' needs header fields, the last of which is the mask")
    mask_name = header[-1].name

    def decode(data: bytes) -> Fields:
        found: Fields = {}
        at = _read_fields(header, data, 0, found)
        mask = found[mask_name]
        if mask >> len(blocks):
            raise CodecRefused("codec_refused", f"unknown flag in {mask:#x}")
        for bit, block in enumerate(blocks):
            if mask >> bit & 1:
                at = _read_fields(block, data, at, found)
        if at != len(data):
            raise CodecRefused("codec_refused", f"{len(data) - at} bytes are left over")
        return found

    return decode


def _bits(codec: Codec) -> Decode:
    total = sum(count for _, count in codec.bits)
    if not total or total % 8:
        raise ValueError("'bits' must fill whole bytes")

    def decode(data: bytes) -> Fields:
        if len(data) * 8 != total:
            raise CodecRefused("codec_refused", f"length {len(data)}")
        number = int.from_bytes(data, "big")
        left = total
        found: Fields = {}
        for name, count in codec.bits:
            left -= count
            if name:
                found[name] = number >> left & ((1 << count) - 1)
        return found

    return decode


def _text(codec: Codec) -> Decode:
    pattern = re.compile(codec.pattern)

    def decode(data: bytes) -> Fields:
        match = pattern.fullmatch(data.decode("utf-8", "replace"))
        if match is None:
            raise CodecRefused("codec_refused", "the text does not match")
        return {name: value for name, value in match.groupdict().items() if value is not None}

    return decode


def _compile_check(check: Check) -> Callable[[bytes], None]:
    wanted = bytes.fromhex(check.bytes)

    def verify(data: bytes) -> None:
        if wanted and data[check.at : check.at + len(wanted)] != wanted:
            raise CodecRefused("codec_refused", f"{wanted.hex()} does not stand at {check.at}")
        if check.length_at is not None and (
            len(data) <= check.length_at or data[check.length_at] + check.adds != len(data)
        ):
            raise CodecRefused("codec_refused", f"length {len(data)} is not what the payload says")
        if check.crc16_modbus is not None:
            start, end, at = check.crc16_modbus
            crc = crc16_modbus(data[start:end])
            stands = data[at : at + 2] if at != -2 else data[-2:]
            allowed = {
                "little": [crc.to_bytes(2, "little")],
                "big": [crc.to_bytes(2, "big")],
                "any": [crc.to_bytes(2, "little"), crc.to_bytes(2, "big")],
            }[check.order]
            if stands not in allowed:
                raise CodecRefused("checksum_wrong", f"checksum {stands.hex()}, computed {crc:04x}")

    return verify


def crc16_modbus(data: bytes) -> int:
    """CRC-16/MODBUS: polynomial 0xA001 reflected, initial 0xFFFF."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc
