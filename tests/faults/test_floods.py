"""Somebody says too much, or poison: it is bounded, counted and named, and the others do not notice."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import aiomqtt
import msgspec
import pytest
import zstandard

from contracts import topics
from contracts.messages import FrameAck
from edge_agent.southbound import packets
from tests.bench.load import RawPublisher
from tests.brokers import running_broker
from tests.devices import reading as reading_payload
from tests.faults import LONG
from tests.faults.test_kills import Load, assert_stored_once
from tests.faults.test_links import assert_all_stored
from tests.integration.frames import EPOCH, T0, frame, reading
from tests.light_gateways import LightGateway, connect
from tests.probe import running_probe
from tests.processes import CloudApi, running_site, wait_for

POISONER = "gw-poison"
LIVE_S = 1.0
FLOOD_FRAMES_PER_S = 600
"""A gateway with a good deal to say sends ten. (A flood faster than ingest can read is for the broker to stop.)"""


def sealed(body: bytes, seq: int, samples: int = 1, version: int = 1) -> bytes:
    """A frame whose digest is right and whose body is what it is: from a gateway with a fault."""
    header = (version, POISONER, EPOCH, 1, seq, T0, samples, 0)
    digest = blake2b(msgspec.msgpack.encode(header), digest_size=16)
    digest.update(body)
    return bytes(msgspec.msgpack.encode((*header, digest.digest(), body)))


def packed(*body: object) -> bytes:
    """A body as frames have it."""
    return bytes(zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(body)))


def column(metric: int = 1, kind: int = 1, floats: bytes = b"") -> list[object]:
    """One reading of one metric, as floats unless said otherwise."""
    whole = [0, "", b""]
    return [[1, whole, T0, whole, whole, whole, [[metric, kind, 0, whole, floats, [], [], []]]]]


def poisons() -> dict[str, bytes]:
    """Name -> payload. The names begin with the reason under which each is to be found in quarantine."""
    whole = [0, "", b""]
    twice = b"\x82\xa4type\xa7refused\xa4type\xa7dropped"
    return {
        "not_a_frame nothing": b"",
        "not_a_frame noise": bytes(range(256)) * 100,
        "not_a_frame deep": b"\x91" * 100_000,
        "not_a_frame NUL": b"\x00" * 1_000,
        "too_large": b"\x9a" + b"x" * 400_000,
        "digest_wrong": sealed(packed([], [], whole, []), 1)[:-1] + b"\x00",
        "version_unknown": sealed(b"", 2, version=99),
        "body_zstd noise": sealed(b"not zstd", 3),
        "body_too_large bomb": sealed(zstandard.ZstdCompressor().compress(bytes(10_000_000)), 4),
        "body_invalid deep": sealed(zstandard.ZstdCompressor().compress(b"\x91" * 500_000), 5),
        "body_invalid keys twice": sealed(zstandard.ZstdCompressor().compress(
            b"\x94\x90\x90" + msgspec.msgpack.encode(whole) + b"\x91" + twice
        ), 6),
        "out_of_range NaN": sealed(packed(["d"], column(floats=b"\x00" * 6 + b"\xf8\x7f"), whole, []), 7),
        "samples_wrong": sealed(packed([], [], whole, []), 8),
        "metric_unknown": sealed(packed(["d"], column(metric=9_999), whole, []), 9),
        "place_wrong": sealed(packed([], column(floats=bytes(8)), whole, []), 10),
    }  # fmt: skip


def test_poison_is_quarantined_and_the_next_frame_is_taken_within_a_second(tmp_path: Path) -> None:
    """F33, at ingest. What devices may say is in test_garbage."""

    async def talk(port: int) -> list[float]:
        took = []
        async with aiomqtt.Client("127.0.0.1", port, max_inflight_messages=100) as client:
            await client.subscribe(topics.ack("gw-1"), 0)
            for number, payload in enumerate(poisons().values()):
                await client.publish(topics.up(POISONER, "bulk"), payload, qos=1)
                good = frame(number + 1, [reading("d", T0 + number, message_count=number)], number).payload
                began = time.monotonic()
                await client.publish(topics.up("gw-1", "bulk"), good, qos=1)
                async with asyncio.timeout(10):
                    async for message in client.messages:
                        ranges = msgspec.msgpack.decode(message.payload, type=FrameAck).ranges  # type: ignore[arg-type]
                        if ranges[-1][1] > number:
                            break
                took.append(time.monotonic() - began)
        return took

    with running_broker("nats-cloud", tmp_path / "broker") as broker:
        cloud = CloudApi(tmp_path / "cloud", broker.port)
        cloud.start()
        try:
            cloud.wait_ready()
            took = asyncio.run(talk(broker.port))
            assert max(took) < 1, f"a good frame waited {max(took):.2f} s"
            found = cloud.get("quarantine", limit=100)["items"]
            assert sorted(each["reason"] for each in found) == sorted(name.split()[0] for name in poisons())
            assert {each["gateway_id"] for each in found} == {POISONER}
            assert f"linli_ingest_quarantined_total {len(poisons())}.0" in cloud.metrics()
        finally:
            cloud.stop()


def test_a_bit_flipped_on_the_way_is_refused_and_the_good_copy_comes(tmp_path: Path) -> None:
    """F19: behind the end of TLS, so nothing but the frame's own digest can tell."""
    flipped = []

    def flip(packet: object) -> list[bytes] | None:
        if packet.kind != 3 or not packet.topic.endswith("/up/bulk") or len(flipped) >= 5:  # type: ignore[attr-defined]
            return None
        data = bytearray(packet.data)  # type: ignore[attr-defined]
        data[-1 - 7 * len(flipped)] ^= 1 << len(flipped)
        flipped.append(bytes(data))
        return [bytes(data)]

    with running_site(tmp_path, proxied=True, LINLI_RESEND_AFTER_MS="1000") as site:
        site.uplink.rule(flip)
        site.uplink.cut()
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 600, "some load")
        assert_stored_once(site, "kills", load.stop())
        assert len(flipped) == 5, "the fault did not happen"
        found = [each["reason"] for each in site.cloud.get("quarantine", limit=100)["items"]]
        assert len(found) == 5
        assert set(found) <= {"digest_wrong", "not_a_frame"}, found


class Raw:
    """A socket that speaks MQTT 5 without any restraint."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        client_id = name.encode()
        body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + len(client_id).to_bytes(2, "big") + client_id
        self.socket.sendall(packets._packet(0x10, body))
        assert self.socket.recv(1_000)[0] == 0x20, "no CONNACK"

    def publish(self, topic: str, payload: bytes, properties: bytes = b"") -> None:
        """QoS 0."""
        length = packets._packet(0, properties)[1 : -len(properties)] if properties else b"\x00"
        name = topic.encode()
        self.socket.sendall(packets._packet(0x30, len(name).to_bytes(2, "big") + name + length + properties + payload))

    def alive(self) -> bool:
        """Does the broker still answer?"""
        try:
            self.socket.sendall(packets.PINGREQ)
            return self.socket.recv(1_000)[-2:] == b"\xd0\x00"
        except OSError:
            return False


@pytest.mark.parametrize("fault", ["oversize", "properties"] if LONG else ["oversize"])
def test_what_is_beyond_the_brokers_limits_cuts_off_its_sender_alone(tmp_path: Path, fault: str) -> None:
    """F34, on Mosquitto. 1,000 small properties are within MQTT and do no harm; what is too large ends its sender."""
    with running_site(tmp_path, local="mosquitto-gateway") as site:
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 100, "some load")
        sender, other = Raw(site.local_broker.port, "sender"), Raw(site.local_broker.port, "other")
        if fault == "oversize":
            with pytest.raises(OSError):
                sender.publish("linli-device/reading/x", b"x" * 8_000_000)
                assert sender.alive(), "cut off"
                pytest.fail("the broker has taken 8 MB")
        else:
            one = b"\x26" + b"".join(len(text).to_bytes(2, "big") + text for text in (b"name", b"v" * 20))
            sender.publish("linli-device/reading/x", reading_payload(1), one * 1_000)
            assert sender.alive()
            wait_for(lambda: site.cloud.device("x"), "the reading with a thousand properties")
            with pytest.raises(OSError):
                sender.publish("linli-device/reading/x", reading_payload(2), one * 100_000)
                if not sender.alive():
                    raise ConnectionError("cut off")
        assert other.alive(), "a neighbour was cut off"
        before = load.sent
        wait_for(lambda: load.sent > before + 200, "more load")
        assert site.agent.log().count('"local broker connected"') == 1, "the agent was cut off"
        acked = load.stop()
        (assert_stored_once if fault == "oversize" else assert_all_stored)(site, "kills", acked)


@pytest.mark.long
def test_one_sensors_flood_is_cut_off_and_its_neighbours_are_not(tmp_path: Path) -> None:
    """F35: a sensor that says a hundred times what it may."""
    quota = {"LINLI_TOPIC_MESSAGES_PER_S_MAX": "20", "LINLI_TOPIC_MESSAGES_BURST": "100"}
    with running_site(tmp_path, **quota) as site, running_probe(site.cloud, site.local_broker.port) as probe:
        time.sleep(2)  # what it is like without the flood
        quiet_s = probe.p95_s(0, time.monotonic())
        flood = RawPublisher(site.local_broker.port)
        began = time.monotonic()
        flood.publish_all([("linli-device/reading/flood", reading_payload(n)) for n in range(12_000)], rate=2_000)
        ended = time.monotonic()
        flood.close()
        wait_for(lambda: len(probe.seen) >= len(probe.sent) - 5, "the probe's last word")
        p95_s = probe.p95_s(began, ended)
        status = wait_for(site.agent.status, "status")
        print(
            f"neighbour's p95 {quiet_s * 1000:.0f} ms before, {p95_s * 1000:.0f} ms in the flood; {status['refused']}"
        )
        assert status["refused"]["quota_exceeded"] > 11_000
        assert p95_s < LIVE_S
        sent = probe.stop()
        ledger = wait_for(site.balanced, "the ledger to balance", 30)
        assert ledger["unexplained"] == ledger["declared_dropped"] == 0
        assert ledger["produced"] < 2_000, "the flood was let through"
        found = wait_for(lambda: site.cloud.device("probe"), "the probe")
        wait_for(lambda: len(site.cloud.samples(found["id"], "message_count")) >= len(sent), "telemetry", 20, 0.2)
        assert len(site.cloud.samples(found["id"], "message_count")) == len(sent)
        refusals = [
            each for each in site.cloud.get("quarantine", limit=100)["items"] if each["reason"] == "quota_exceeded"
        ]
        assert refusals, "nobody was told"


def flood_of_frames(port: int, stop: threading.Event) -> int:
    """A gateway that waits for nothing and sends its frames again and again. Returns how many."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.sendall(connect("gw-flood", topics.state("gw-flood"), b""))
        threading.Thread(target=lambda: _read_away(wire), daemon=True).start()
        gateway = LightGateway(port, "gw-flood", None)  # type: ignore[arg-type]
        for _ in range(500):
            gateway.produce()
        frames = list(gateway.unacked.values())
        began = time.monotonic()
        while not stop.is_set():
            if sent > (time.monotonic() - began) * FLOOD_FRAMES_PER_S:
                stop.wait(0.005)
                continue
            packet_id = sent % 65_000 + 1
            wire.sendall(packets.publish(topics.up("gw-flood", "bulk"), frames[sent % 500], 1, False, packet_id))
            sent += 1
        wire.sendall(packets.DISCONNECT)
    return sent


def _read_away(wire: socket.socket) -> None:
    try:
        while wire.recv(65_536):
            pass
    except OSError:
        pass


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Set at the end, whatever happens."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.long
def test_one_gateways_flood_harms_no_other(tmp_path: Path, stop: threading.Event) -> None:
    """F35, at ingest: a gateway that ignores its window."""
    with running_site(tmp_path) as site, running_probe(site.cloud, site.local_broker.port) as probe:
        time.sleep(2)  # what it is like without the flood
        quiet_s = probe.p95_s(0, time.monotonic())
        sent: list[int] = []
        flood = threading.Thread(target=lambda: sent.append(flood_of_frames(site.cloud_broker.port, stop)))
        began = time.monotonic()
        flood.start()
        time.sleep(8)  # the flood
        ended = time.monotonic()
        stop.set()
        flood.join()
        wait_for(lambda: len(probe.seen) >= len(probe.sent) - 5, "the probe's last word", 20)
        p95_s = probe.p95_s(began, ended)
        figures = [line for line in site.cloud.metrics().splitlines() if line.startswith("linli_ingest_")]
        print(
            f"{sent[0]} frames; p95 of another {quiet_s * 1000:.0f} ms before, {p95_s * 1000:.0f} ms in it; {figures}"
        )
        assert sent[0] > 2_500, "there was no flood"
        assert p95_s < 2 * LIVE_S
        probe.stop()
        ledger = wait_for(site.balanced, "the ledger to balance", 30)
        assert ledger["unexplained"] == ledger["declared_dropped"] == 0
