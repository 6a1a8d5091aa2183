"""What must hold before a payload is believed: bytes that stand there, its length, its checksum."""

import binascii
import functools
import operator
from collections.abc import Callable
from typing import Literal

from contracts.profile import Check
from edge_agent.profiles.errors import CodecRefused


def compile_check(check: Check) -> Callable[[bytes], None]:
    """A function that raises CodecRefused where the check does not hold. Raises ValueError when it is wrong itself."""
    wanted = bytes.fromhex(check.bytes)
    sums = [(compute, width, place) for name, compute, width in _SUMS if (place := getattr(check, name)) is not None]
    orders: list[Literal["big", "little"]] = ["little", "big"] if check.order == "any" else [check.order]

    def verify(data: bytes) -> None:
        if wanted and data[check.at : check.at + len(wanted)] != wanted:
            raise CodecRefused("codec_refused", f"{wanted.hex()} does not stand at {check.at}")
        if check.length_at is not None and (
            len(data) <= check.length_at or data[check.length_at] + check.adds != len(data)
        ):
            raise CodecRefused("codec_refused", f"length {len(data)} is not what the payload says")
        for compute, width, (start, end, at) in sums:
            wanted_sum = compute(data[start:end])
            stands = data[at : at + width] if at + width else data[at:]
            if all(stands != wanted_sum.to_bytes(width, order) for order in orders):
                raise CodecRefused("checksum_wrong", f"checksum {stands.hex()}, computed {wanted_sum:0{2 * width}x}")

    return verify


def crc16_modbus(data: bytes) -> int:
    """CRC-16/MODBUS: polynomial 0xA001 reflected, initial 0xFFFF."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def crc16_ccitt(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, initial 0xFFFF."""
    return binascii.crc_hqx(data, 0xFFFF)


def sum8(data: bytes) -> int:
    """The sum of all bytes, its low byte."""
    return sum(data) & 0xFF


def xor8(data: bytes) -> int:
    """The exclusive or of all bytes."""
    return functools.reduce(operator.xor, data, 0)


def _crc_of_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


_CRC = [_crc_of_byte(byte) for byte in range(256)]
_SUMS: tuple[tuple[str, Callable[[bytes], int], int], ...] = (
    ("crc16_modbus", crc16_modbus, 2), ("crc16_ccitt", crc16_ccitt, 2), ("sum8", sum8, 1), ("xor8", xor8, 1),
)  # fmt: skip
