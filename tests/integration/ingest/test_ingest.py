"""Ingest on a real broker: what is sent as a gateway would send it is logged, acknowledged, or quarantined."""

import asyncio
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from contracts import topics
from contracts.messages import FrameAck, GatewayState, IngestState
from tests.brokers import running_broker
from tests.integration.frames import EPOCH, T0, frame, reading
from tests.postgres import Postgres
from tests.processes import CloudApi, wait_for

GATEWAY = "gw-1"


async def talk(port: int, payloads: list[tuple[str, bytes]], acks: int) -> list[FrameAck]:
    """Publish frames as the gateway and return so many acknowledgements."""
    found: list[FrameAck] = []
    async with aiomqtt.Client("127.0.0.1", port) as client, asyncio.timeout(10):
        await client.subscribe(topics.ack(GATEWAY), 1)
        for topic, payload in payloads:
            await client.publish(topic, payload, qos=1)
        async for message in client.messages:
            found.append(msgspec.msgpack.decode(message.payload, type=FrameAck))  # type: ignore[arg-type]
            if len(found) >= acks:
                return found
    return found


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_good_frames_are_acknowledged_bad_ones_quarantined_and_nothing_else_is_lost(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    settings = {}
    if database == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        settings = server.settings(server.new_database())
    bulk = topics.up(GATEWAY, "bulk")
    frames = [frame(seq, [reading("d", T0 + seq, message_count=seq)], seq - 1).payload for seq in range(1, 6)]
    altered = bytearray(frames[1])
    altered[-3] ^= 1
    wrong_body = _with_body(b"not zstd", 7)
    with running_broker("nats-cloud", tmp_path / "broker") as broker:
        cloud = CloudApi(tmp_path / "cloud", broker.port, **settings)
        cloud.start()
        try:
            cloud.wait_ready()
            names = {"name": {"zh": "测试", "en": "Test"}}
            cloud.send("PUT", "communities/c", names)
            cloud.send("PUT", f"gateways/{GATEWAY}", {"community_id": "c", **names})
            sent = [
                (bulk, frames[0]), (bulk, bytes(altered)), (bulk, b"garbage"), (topics.up("gw-2", "bulk"), frames[2]),
                (bulk, wrong_body), (bulk, frames[3]), (bulk, frames[0]),
            ]  # fmt: skip
            asyncio.run(talk(broker.port, sent, 1))

            def ack() -> FrameAck | None:
                (last,) = asyncio.run(talk(broker.port, [(bulk, frames[0])], 1))
                return last if last.ranges == [(1, 1), (4, 4)] and last.rejected == [7] else None

            assert wait_for(ack, "both good frames and the rejected one").epoch == EPOCH
            refused = cloud.get("quarantine", limit=100)["items"]
            assert sorted(each["reason"] for each in refused) == [
                "body_zstd", "digest_wrong", "gateway_mismatch", "not_a_frame",
            ]  # fmt: skip
            asyncio.run(talk(broker.port, [(bulk, frames[1]), (bulk, frames[2])], 1))
            wait_for(lambda: cloud.ledger(GATEWAY)["stored"] == 4, "the rest to be stored")
            ledger = cloud.ledger(GATEWAY)
            assert ledger["declared_dropped"] == 2, "the rejected frame is declared"
        finally:
            cloud.stop()


def _with_body(body: bytes, seq: int) -> bytes:
    """A frame whose digest is right and whose body is not: a gateway with a fault."""
    from hashlib import blake2b

    header = (1, GATEWAY, EPOCH, 1, seq, T0, 2, 6)
    digest = blake2b(msgspec.msgpack.encode(header), digest_size=16)
    digest.update(body)
    return msgspec.msgpack.encode((*header, digest.digest(), body))


def test_ingest_says_when_it_is_there_and_when_not(tmp_path: Path) -> None:
    async def last_word(port: int) -> IngestState:
        async with aiomqtt.Client("127.0.0.1", port) as client, asyncio.timeout(5):
            await client.subscribe(topics.INGEST, 1)
            async for message in client.messages:
                return msgspec.msgpack.decode(message.payload, type=IngestState)  # type: ignore[arg-type]
        raise AssertionError

    async def say(port: int, payload: bytes) -> None:
        async with aiomqtt.Client("127.0.0.1", port) as client, asyncio.timeout(5):
            await client.publish(topics.INGEST, payload, qos=1, retain=True)

    with running_broker("nats-cloud", tmp_path / "broker") as broker:
        cloud = CloudApi(tmp_path / "cloud", broker.port)
        cloud.start()
        cloud.wait_ready()
        assert asyncio.run(last_word(broker.port)).online
        cloud.kill()
        wait_for(lambda: not asyncio.run(last_word(broker.port)).online, "the will")
        cloud.start()
        cloud.wait_ready()
        assert asyncio.run(last_word(broker.port)).online
        late = msgspec.msgpack.encode(IngestState(online=False, session="half-open, and its will comes late"))
        asyncio.run(say(broker.port, late))
        wait_for(lambda: asyncio.run(last_word(broker.port)).online, "the living one to say that it is there")
        assert cloud.stop() == 0
        assert not asyncio.run(last_word(broker.port)).online


def test_the_death_of_an_earlier_session_does_not_make_a_gateway_offline() -> None:
    from cloud_api.ingest import GatewayPresence

    told: list[Any] = []
    presence = GatewayPresence(lambda: 1_000, lambda *word: told.append(word))
    presence.heard(GATEWAY, GatewayState(online=True, session="a"))
    presence.heard(GATEWAY, GatewayState(online=True, session="b"))
    presence.heard(GATEWAY, GatewayState(online=False, session="a"))
    assert presence.online(GATEWAY)
    presence.heard(GATEWAY, GatewayState(online=False, session="b"))
    assert not presence.online(GATEWAY)
    assert told == [(GATEWAY, True, 1_000), (GATEWAY, False, 1_000)]


def test_a_gateway_that_has_fallen_silent_is_offline_after_four_of_its_heartbeats() -> None:
    from cloud_api.ingest import GatewayPresence

    told: list[Any] = []
    now = [0]
    presence = GatewayPresence(lambda: now[0], lambda *word: told.append(word))
    presence.heard(GATEWAY, GatewayState(online=True, session="a", heartbeat_ms=5_000))
    now[0] = 19_999
    presence.look()
    assert presence.online(GATEWAY)
    now[0] = 20_000
    presence.look()
    presence.look()
    assert presence.link(GATEWAY) == "none"
    presence.heard(GATEWAY, GatewayState(online=True, session="a", heartbeat_ms=5_000, unheard_ms=6_000))
    assert presence.link(GATEWAY) == "up_only"
    assert presence.count_up_only() == 1
    assert told == [(GATEWAY, True, 0), (GATEWAY, False, 20_000), (GATEWAY, True, 20_000)]
