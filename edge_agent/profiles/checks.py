"""What must hold before a payload is believed: bytes that stand there, its length, its checksum."""

from collections.abc import Callable

from contracts.profile import Check
from edge_agent.profiles.errors import CodecRefused


def compile_check(check: Check) -> Callable[[bytes], None]:
    """A function that raises CodecRefused where the check does not hold. Raises ValueError when it is wrong itself."""
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
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def _crc_of_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


_CRC = [_crc_of_byte(byte) for byte in range(256)]
