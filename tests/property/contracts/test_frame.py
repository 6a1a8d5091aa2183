"""The frame codec: exact for everything the vocabulary allows, and unmoved by hostile bytes."""

import tracemalloc

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.frame import (
    BODY_BYTES_MAX,
    FRAME_BYTES_MAX,
    READINGS_MAX,
    FrameCorrupt,
    FrameError,
    FrameHeader,
    FrameTooLarge,
    VersionUnknown,
    decode_columns,
    decode_frame,
    encode_frame,
    read_header,
)
from contracts.messages import Record
from contracts.reading import Clock, Reading, Sample
from tests.property.contracts.strategies import readings, records

EPOCH = "0123456789abcdef"


def encode(given_readings: list[Reading], given_records: list[Record], seq: int = 7) -> bytes:
    return encode_frame("gw-1", EPOCH, "bulk", seq, 1_790_000_000_000, 42, given_readings, given_records)


@given(st.lists(readings(), max_size=30), st.lists(records, max_size=5))
@settings(deadline=None)
def test_what_is_encoded_is_decoded(given_readings: list[Reading], given_records: list[Record]) -> None:
    frame = decode_frame(encode(given_readings, given_records))
    assert frame.readings == tuple(given_readings)
    assert frame.records == tuple(given_records)
    count = sum(len(reading.samples) for reading in given_readings)
    assert frame.header == FrameHeader("gw-1", EPOCH, "bulk", 7, 1_790_000_000_000, count, 42)
    for reading, original in zip(frame.readings, given_readings, strict=True):
        for sample, first in zip(reading.samples, original.samples, strict=True):
            assert isinstance(sample.value, bool) == isinstance(first.value, bool)


@given(st.lists(readings(), min_size=1, max_size=8), st.data())
@settings(deadline=None)
def test_an_altered_frame_is_an_error_and_nothing_else(given_readings: list[Reading], data: st.DataObject) -> None:
    frame = bytearray(encode(given_readings, []))
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError):
        decode_frame(bytes(frame))


@given(st.binary(max_size=400))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_an_error_and_nothing_else(payload: bytes) -> None:
    for read in (read_header, decode_frame, decode_columns):
        with pytest.raises(FrameError):
            read(payload)


@given(st.lists(readings(), min_size=1, max_size=5), st.data())
@settings(deadline=None)
def test_a_body_that_contradicts_itself_is_an_error(given_readings: list[Reading], data: st.DataObject) -> None:
    """Signed with a right digest, as a gateway with a fault would send it: every place and length is checked."""
    whole = msgspec.msgpack.decode(encode(given_readings, []))
    body = bytearray(zstandard.ZstdDecompressor().decompress(whole[9]))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    frame = _sign(whole[:8], zstandard.ZstdCompressor().compress(bytes(body)))
    try:
        decode_frame(frame)  # some changes give another sound frame
    except FrameError as error:
        assert error.reason


def _sign(header: list[object], body: bytes) -> bytes:
    from hashlib import blake2b

    digest = blake2b(msgspec.msgpack.encode(tuple(header)), digest_size=16)
    digest.update(body)
    return msgspec.msgpack.encode((*header, digest.digest(), body))


@pytest.mark.parametrize("size", [BODY_BYTES_MAX + 1, 200_000_000])
def test_a_bomb_costs_no_memory(size: int) -> None:
    header = [1, "gw-1", EPOCH, 1, 1, 0, 0, 0]
    compressor = zstandard.ZstdCompressor()
    bomb = _sign(header, compressor.compress(bytes(size)))
    assert len(bomb) < FRAME_BYTES_MAX
    tracemalloc.start()
    with pytest.raises(FrameCorrupt, match="body_too_large"):
        decode_frame(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_body_without_its_size_is_refused() -> None:
    header = [1, "gw-1", EPOCH, 1, 1, 0, 0, 0]
    streamed = zstandard.ZstdCompressor(write_content_size=False).compress(b"x")
    with pytest.raises(FrameError):
        decode_frame(_sign(header, streamed))


def test_another_version_is_named() -> None:
    with pytest.raises(VersionUnknown, match="version 2"):
        decode_frame(msgspec.msgpack.encode([2, "something", "else"]))


def test_too_much_for_one_frame_is_said() -> None:
    many = [Reading("d", n, n, Clock.GATEWAY, (Sample("temperature", 1.5),)) for n in range(READINGS_MAX + 1)]
    with pytest.raises(FrameTooLarge):
        encode(many, [])


def test_a_usual_frame_is_small() -> None:
    """The named baseline: 500 readings of four values of 100 devices in at most 8 bytes a reading."""
    import random

    chance = random.Random(1)
    at_ms = 1_790_000_000_000
    usual = []
    for _ in range(500):
        at_ms += chance.choice([0, 0, 1, 1, 2])
        usual.append(
            Reading(f"bay-{chance.randrange(100):03d}", at_ms, at_ms, Clock.GATEWAY, (
                Sample("temperature", round(chance.gauss(20, 3), 1)), Sample("humidity", round(chance.uniform(30, 60), 1)),
                Sample("battery_voltage", round(chance.gauss(3.3, 0.05), 3)),
                Sample("spot_status", chance.choice(["free", "occupied"])),
            ))
        )  # fmt: skip
    assert len(encode(usual, [])) / 500 <= 8
