"""MQTT packets without I/O: what one side writes the other reads, in any portions; hostile bytes are a ProtocolError."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.southbound import packets
from edge_agent.southbound.packets import Connack, Parser, Pingresp, ProtocolError, Puback, Publish, Suback

publishes = st.builds(
    Publish,
    topic=st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60),
    payload=st.binary(max_size=400),
    qos=st.just(1),
    retain=st.booleans(),
    dup=st.booleans(),
    packet_id=st.integers(1, 65_535),
)


def wire(publish: Publish) -> bytes:
    return packets.publish(*publish[:2], publish.qos, publish.retain, publish.packet_id, publish.dup)


@given(st.lists(publishes, max_size=12), st.data())
@settings(max_examples=200, deadline=None)
def test_portions_do_not_matter(sent: list[Publish], data: st.DataObject) -> None:
    stream = b"".join(map(wire, sent))
    parser, got = Parser(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        got += parser.feed(stream[:cut])
        stream = stream[cut:]
    assert got == sent


@given(st.lists(st.binary(max_size=60), max_size=6))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_packets_or_a_protocol_error(portions: list[bytes]) -> None:
    parser = Parser()
    try:
        for portion in portions:
            parser.feed(portion)
    except ProtocolError:
        pass


def test_control_packets() -> None:
    stream = b"\x20\x02\x01\x00" + b"\x90\x03\x00\x05\x01" + b"\x40\x02\x12\x34" + b"\xd0\x00"
    assert Parser().feed(stream) == [Connack(True, 0), Suback(5, (1,)), Puback(0x1234), Pingresp()]


@pytest.mark.parametrize("stream", [
    b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
    b"\x36\x02\x00\x00",  # QoS 3
    b"\x32\x04\x00\x01a\x00",  # cut packet id
    b"\x32\x05\x00\x01a\x00\x00",  # packet id 0
    b"\x30\x03\x00\x09a",  # topic longer than the packet
    b"\x30\x03\x00\x01\xff",  # topic is not UTF-8
    b"\x00\x00",  # no such packet
])  # fmt: skip
def test_what_mqtt_does_not_allow(stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        Parser().feed(stream)


def test_a_packet_that_is_too_large_is_not_waited_for() -> None:
    with pytest.raises(ProtocolError, match="packet of"):
        Parser(packet_bytes_max=1_000).feed(b"\x30\xff\x7f")


def test_a_wave_of_acknowledgements_is_one_write() -> None:
    assert packets.pubacks([1, 0x1234]) == b"\x40\x02\x00\x01\x40\x02\x12\x34"
