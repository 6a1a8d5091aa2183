"""MQTT 3.1.1 packets, without I/O: bytes in, packets out, and back. Only what the agent's own session needs.

Source: MQTT Version 3.1.1, OASIS Standard, sections 2 and 3.
"""

from typing import NamedTuple

PACKET_BYTES_MAX = 2_097_152
"""A longer packet is a ProtocolError: the agent reads it no further (the intake refuses payloads far below this)."""


class ProtocolError(Exception):
    """The peer sent what MQTT 3.1.1 does not allow, or more than we take. The connection is to be closed."""


class Connack(NamedTuple):
    """The broker's answer to CONNECT. code 0: accepted."""

    session_present: bool
    code: int


class Publish(NamedTuple):
    """An application message. packet_id is 0 for QoS 0."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    packet_id: int


class Puback(NamedTuple):
    """The peer has taken our QoS 1 message."""

    packet_id: int


class Suback(NamedTuple):
    """The broker's answer to SUBSCRIBE: granted QoS, or 0x80 for refused, a filter each."""

    packet_id: int
    codes: tuple[int, ...]


class Pingresp(NamedTuple):
    """The broker is alive."""


Packet = Connack | Publish | Puback | Suback | Pingresp
_PINGRESP = Pingresp()


class Parser:
    """Takes bytes in any portions and gives whole packets. After a ProtocolError it must not be fed again."""

    def __init__(self, packet_bytes_max: int = PACKET_BYTES_MAX) -> None:
        self._rest = b""
        self._bytes_max = packet_bytes_max

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are complete now. Raises ProtocolError."""
        buffer = self._rest + data if self._rest else data
        packets: list[Packet] = []
        place, end = 0, len(buffer)
        while place + 2 <= end:
            # remaining length: 7 bits a byte, least significant first, four bytes at most
            length, shift, at = 0, 0, place + 1
            while True:
                if at == end:
                    break
                byte = buffer[at]
                length |= (byte & 0x7F) << shift
                at += 1
                shift += 7
                if byte < 0x80:
                    break
                if shift == 28:
                    raise ProtocolError("remaining length of more than four bytes")
            if buffer[at - 1] >= 0x80 or at == place + 1:
                break  # the length itself is not complete yet
            if length > self._bytes_max:
                raise ProtocolError(f"packet of {length} bytes")
            if at + length > end:
                break
            packets.append(_parse(buffer[place], buffer, at, at + length))
            place = at + length
        self._rest = buffer[place:]
        return packets


def _parse(first: int, buffer: bytes, at: int, end: int) -> Packet:
    kind = first >> 4
    if kind == 3:
        return _parse_publish(first, buffer, at, end)
    if kind == 4 and end - at == 2:
        return Puback(buffer[at] << 8 | buffer[at + 1])
    if kind == 13 and end == at:
        return _PINGRESP
    if kind == 2 and end - at == 2:
        return Connack(bool(buffer[at] & 1), buffer[at + 1])
    if kind == 9 and end - at >= 3:
        return Suback(buffer[at] << 8 | buffer[at + 1], tuple(buffer[at + 2 : end]))
    raise ProtocolError(f"unexpected packet type {kind} of {end - at} bytes")


def _parse_publish(first: int, buffer: bytes, at: int, end: int) -> Publish:
    qos = first >> 1 & 3
    if end - at < 2 or qos == 3:
        raise ProtocolError("malformed PUBLISH")
    after = at + 2 + (buffer[at] << 8 | buffer[at + 1])
    packet_id = 0
    body = after
    if qos:
        body += 2
        if body > end:
            raise ProtocolError("malformed PUBLISH")
        packet_id = buffer[after] << 8 | buffer[after + 1]
        if packet_id == 0:
            raise ProtocolError("packet id 0")
    elif after > end:
        raise ProtocolError("malformed PUBLISH")
    try:
        topic = buffer[at + 2 : after].decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("topic is not UTF-8") from error
    return Publish(topic, buffer[body:end], qos, bool(first & 1), bool(first & 8), packet_id)


def connect(client_id: str, keepalive_s: int, username: str = "", password: str = "", clean: bool = False) -> bytes:
    """CONNECT for a persistent session (clean: for one that leaves nothing behind), without a will."""
    flags = (0x80 if username else 0) | (0x40 if password else 0) | (0x02 if clean else 0)
    body = b"\x00\x04MQTT\x04" + bytes([flags]) + keepalive_s.to_bytes(2, "big") + _text(client_id)
    for text in (username, password):
        if text:
            body += _text(text)
    return _packet(0x10, body)


def subscribe(packet_id: int, filters: tuple[str, ...], qos: int) -> bytes:
    """SUBSCRIBE to all filters with one QoS."""
    body = packet_id.to_bytes(2, "big") + b"".join([_text(each) + bytes([qos]) for each in filters])
    return _packet(0x82, body)


def publish(
    topic: str, payload: bytes, qos: int = 0, retain: bool = False, packet_id: int = 0, dup: bool = False
) -> bytes:
    """PUBLISH. packet_id is 1..65535 for QoS 1."""
    first = 0x30 | (8 if dup else 0) | qos << 1 | (1 if retain else 0)
    return _packet(first, _text(topic) + (packet_id.to_bytes(2, "big") if qos else b"") + payload)


def pubacks(packet_ids: list[int]) -> bytes:
    """A wave of PUBACKs."""
    return b"".join([b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in packet_ids])


PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > 65_535:
        raise ValueError("MQTT text of more than 65,535 bytes")
    return len(encoded).to_bytes(2, "big") + encoded


def _packet(first: int, body: bytes) -> bytes:
    length = len(body)
    encoded = bytearray([first])
    while True:
        byte = length & 0x7F
        length >>= 7
        encoded.append(byte | (0x80 if length else 0))
        if not length:
            return bytes(encoded) + body
