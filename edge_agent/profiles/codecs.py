"""Binary layouts to named fields: struct, tlv, flagged, bits, text. Compiled once; strict about every byte."""

import struct
from collections.abc import Callable

from contracts.profile import Codec
from edge_agent.profiles.checks import compile_check
from edge_agent.profiles.errors import CodecRefused
from edge_agent.profiles.fields import Fields, Read, compile_fields
from edge_agent.profiles.patterns import TEXT_LENGTH_MAX, compile_pattern

Decode = Callable[[bytes], Fields]

RECORDS_MAX = 512
"""Records in one payload; more is refused."""


def compile_codec(codec: Codec) -> Decode:
    """A function from payload to fields, which raises CodecRefused. Raises ValueError for a wrong specification."""
    checks = [compile_check(check) for check in codec.checks]
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


def _struct(codec: Codec) -> Decode:
    read = compile_fields(codec.fields, codec.order)
    placed = any(spec.at is not None for spec in codec.fields)
    if placed and not codec.length and not codec.length_min:
        raise ValueError("a struct with 'at' needs 'length' or 'length_min'")
    read_rest = _compile_rest(codec)
    whole = not placed and not codec.length and not codec.length_min

    def decode(data: bytes) -> Fields:
        found: Fields = {}
        end = read(data, 0, found)
        if read_rest is not None:
            end = read_rest(data, end, found)
        if whole and end != len(data):
            raise CodecRefused("codec_refused", f"{len(data) - end} bytes are left over")
        return found

    return decode


def _compile_rest(codec: Codec) -> Read | None:
    if codec.rest is None:
        return None
    if not codec.rest.list or not codec.rest.fields:
        raise ValueError("'rest' needs 'list' and 'fields'")
    name = codec.rest.list
    read = compile_fields(codec.rest.fields, codec.order)

    def read_rest(data: bytes, at: int, into: Fields) -> int:
        records: list[Fields] = []
        while at < len(data):
            if len(records) == RECORDS_MAX:
                raise CodecRefused("codec_refused", f"more than {RECORDS_MAX} records")
            record: Fields = {}
            at = read(data, at, record)
            records.append(record)
        into[name] = records
        return at

    return read_rest


def _tlv(codec: Codec) -> Decode:
    width = codec.key_bytes
    behind = width + codec.length_bytes
    records: dict[bytes, tuple[Read, str]] = {}
    for key, record in codec.records.items():
        raw = bytes.fromhex(key)
        if len(raw) != width:
            raise ValueError(f"key {key!r} is not of {width} bytes")
        records[raw] = (compile_fields(record.fields, codec.order), record.list)

    def decode(data: bytes) -> Fields:
        found: Fields = {}
        at = 0
        size = len(data)
        for _ in range(RECORDS_MAX):
            if at == size:
                return found
            known = records.get(data[at : at + width])
            if behind != width:
                end = at + behind + data[at + width]
                if end > size:
                    raise CodecRefused("codec_refused", f"the record at {at} is longer than the payload")
                if known is None:
                    at = end
                    continue
            elif known is None:
                raise CodecRefused("codec_refused", f"unknown record {data[at : at + width].hex(' ')} at {at}")
            else:
                end = -1
            read, collect = known
            if collect:
                into: Fields = {}
                found.setdefault(collect, []).append(into)
                at = read(data, at + behind, into)
            else:
                at = read(data, at + behind, found)
            if end != -1 and at != end:
                raise CodecRefused("codec_refused", f"the record that ends at {end} is not {at} long")
        raise CodecRefused("codec_refused", f"more than {RECORDS_MAX} records")

    return decode


def _flagged(codec: Codec) -> Decode:
    if not codec.fields:
        raise ValueError("'flagged' needs header fields, the last of which is the mask")
    read_header = compile_fields(codec.fields, codec.order)
    blocks = [(1 << bit, compile_fields(block, codec.order)) for bit, block in enumerate(codec.blocks)]
    mask_name = codec.fields[-1].name
    if not mask_name or not codec.fields[-1].type.startswith("u") or codec.fields[-1].scale != 1:
        raise ValueError("the mask, last of 'fields', must be a named u8, u16 or u32")
    read_rest = _compile_rest(codec)

    def decode(data: bytes) -> Fields:
        found: Fields = {}
        at = read_header(data, 0, found)
        mask = found[mask_name]
        if mask >> len(blocks):
            raise CodecRefused("codec_refused", f"unknown flag in {mask:#x}")
        for bit, read in blocks:
            if mask & bit:
                at = read(data, at, found)
        if read_rest is not None:
            at = read_rest(data, at, found)
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
    pattern = compile_pattern(codec.pattern)

    def decode(data: bytes) -> Fields:
        if len(data) > TEXT_LENGTH_MAX:
            raise CodecRefused("codec_refused", f"a text of {len(data)} bytes, {TEXT_LENGTH_MAX} at most")
        match = pattern.fullmatch(data.decode("utf-8", "replace"))
        if match is None:
            raise CodecRefused("codec_refused", "the text does not match")
        return {name: value for name, value in match.groupdict().items() if value is not None}

    return decode
