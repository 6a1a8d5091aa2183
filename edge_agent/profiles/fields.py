"""Fields of a binary layout: which bytes, and how they become a value. Compiled once to ``struct`` runs."""

import re
import struct
from collections.abc import Callable
from typing import Any

from contracts.profile import FieldSpec
from edge_agent.profiles.errors import CodecRefused

Fields = dict[str, Any]

_TYPE = re.compile(r"^(?:[us](?:8|16|24|32|64)|f32|f64|(?:hex|ascii|bcd|skip):[1-9]\d{0,2})$")
_NUMBERS = {"u8": "B", "s8": "b", "u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q",
            "f32": "f", "f64": "d"}  # fmt: skip

Read = Callable[[bytes, int, Fields], int]
"""(payload, where to begin, where the fields go) -> where the next begins. Raises struct.error, CodecRefused."""
Convert = Callable[[Any], Any]


def compile_fields(specs: list[FieldSpec], order: str) -> Read:
    """Fields one after another, read with one ``struct`` where they have one byte order; placed ones by themselves."""
    runs: list[Read] = []
    run: list[FieldSpec] = []
    run_order = order
    for spec in specs:
        if not _TYPE.match(spec.type):
            raise ValueError(f"unknown field type {spec.type!r}")
        its_order = spec.order or order
        if run and (spec.at is not None or its_order != run_order):
            runs.append(_compile_run(run, run_order))
            run = []
        if spec.at is not None:
            runs.append(_placed(_compile_run([spec], its_order), spec.at))
            continue
        run, run_order = [*run, spec], its_order
    if run:
        runs.append(_compile_run(run, run_order))
    if len(runs) == 1:
        return runs[0]

    def read(data: bytes, at: int, into: Fields) -> int:
        for each in runs:
            at = each(data, at, into)
        return at

    return read


def _placed(read: Read, place: int) -> Read:
    def read_there(data: bytes, at: int, into: Fields) -> int:
        start = place if place >= 0 else len(data) + place
        if start < 0:
            raise CodecRefused("codec_refused", f"payload of {len(data)} bytes is too short")
        read(data, start, into)
        return at

    return read_there


def _compile_run(specs: list[FieldSpec], order: str) -> Read:
    layout = struct.Struct(("<" if order == "little" else ">") + "".join(_code(spec) for spec in specs))
    unpack_from, width = layout.unpack_from, layout.size
    fields = [(spec.name, _converter(spec, order)) for spec in specs if _code(spec)[-1] != "x"]
    if len(fields) == 1:
        name, convert = fields[0]
        if convert is None:

            def read_plain(data: bytes, at: int, into: Fields) -> int:
                (into[name],) = unpack_from(data, at)
                return at + width

            return read_plain
        only = convert

        def read_one(data: bytes, at: int, into: Fields) -> int:
            (raw,) = unpack_from(data, at)
            into[name] = only(raw)
            return at + width

        return read_one

    def read(data: bytes, at: int, into: Fields) -> int:
        for (name, convert), raw in zip(fields, unpack_from(data, at), strict=True):
            into[name] = raw if convert is None else convert(raw)
        return at + width

    return read


def _code(spec: FieldSpec) -> str:
    word, _, count = spec.type.partition(":")
    if not count and spec.name and word in _NUMBERS:
        return _NUMBERS[word]
    width = int(count) if count else int(word[1:]) // 8
    return f"{width}{'s' if spec.name and word != 'skip' else 'x'}"


def _converter(spec: FieldSpec, order: str) -> Convert | None:
    """From what ``struct`` gives to the field's value; None where it is that already."""
    kind = spec.type.partition(":")[0]
    if kind == "ascii":
        return lambda raw: raw.split(b"\0", 1)[0].decode("ascii", "replace")
    if kind == "bcd":
        return lambda raw: raw.hex()
    if kind == "hex":
        return lambda raw: raw.hex().upper()
    scale = _scaled(spec.scale, spec.offset)
    if kind not in ("u24", "s24"):
        return scale
    byteorder: Any = order
    signed = kind == "s24"
    if scale is None:
        return lambda raw: int.from_bytes(raw, byteorder, signed=signed)
    return lambda raw: scale(int.from_bytes(raw, byteorder, signed=signed))


def _scaled(scale: float, offset: float) -> Convert | None:
    if scale == 1 and offset == 0:
        return None
    divisor = round(1 / scale) if 0 < scale < 1 else 0
    if divisor and abs(divisor * scale - 1) < 1e-9:
        # dividing by 10 gives the double nearest to the decimal; multiplying by 0.1 does not
        return (lambda raw: raw / divisor + offset) if offset else (lambda raw: raw / divisor)
    return lambda raw: raw * scale + offset
