"""F48: agents and clouds that are one version apart, and files that an earlier version has written."""

import asyncio
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from cloud_api.signing import signing_key
from contracts import topics
from contracts.frame import VERSION, decode_frame
from contracts.messages import FrameAck, GatewayState, Welcome
from contracts.signature import SIGNATURE_BYTES
from edge_agent.outbox import Outbox
from edge_agent.outbox.file import OutboxNewer
from tests.brokers import running_broker
from tests.faults.test_commands import Valve, order, reached, valve_id
from tests.faults.test_floods import POISONER, sealed
from tests.faults.test_kills import Load
from tests.integration.frames import EPOCH, T0, frame, reading
from tests.processes import CloudApi, running_site, wait_for

EARLIER = sorted((Path(__file__).parents[1] / "earlier_versions").iterdir())
"""A folder a released format: an outbox of gateway gw-old (five bulk frames of four samples, two acknowledged), a frame."""


@pytest.mark.parametrize("folder", EARLIER, ids=lambda folder: folder.name)
def test_an_earlier_versions_files_stay_readable(folder: Path, tmp_path: Path) -> None:
    header, readings, records = decode_frame((folder / "frame.bin").read_bytes())
    assert (header.gateway, header.lane, header.seq, header.samples, header.samples_before) == (
        "gw-old",
        "bulk",
        2,
        4,
        4,
    )
    assert [sample.value for each in readings for sample in each.samples] == [21.5, 2, 22.5, 3]
    assert len(records) == 1
    shutil.copy(folder / "outbox.sqlite", tmp_path)
    for _ in range(2):  # the second time it is of the present version
        outbox = Outbox(tmp_path / "outbox.sqlite", "gw-old", 50_000_000, lambda: T0)
        assert (outbox.lanes["bulk"].last_seq, outbox.lanes["bulk"].produced, outbox.lanes["bulk"].buffered) == (
            5,
            20,
            12,
        )
        assert outbox.unacked("bulk") == [(3, 5)]
        assert outbox.unacked("urgent") == [(1, 1)]
        assert {decode_frame(outbox.read("bulk", seq) or b"").header.seq for seq in (3, 4, 5)} == {3, 4, 5}
        assert outbox.devices()["meter-0"].name == "Old meter"
        command = outbox.command("cmd-old")
        assert command is not None
        assert command.state == "succeeded"
        assert header.epoch == outbox.epoch
        outbox.close()


def test_an_agent_with_an_earlier_versions_outbox_sends_what_is_in_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(EARLIER[0] / "outbox.sqlite", data)
    with running_site(tmp_path, data_dir=data, gateway="gw-old") as site:
        wait_for(lambda: site.cloud.device("meter-0"), "the old meter")
        ledger = wait_for(
            lambda: site.cloud.ledger("gw-old")["stored"] >= 12 and site.cloud.ledger("gw-old"), "the frames"
        )
        assert ledger["produced"] == 20  # the two that were acknowledged are asked for again: this cloud is a new one
        wait_for(lambda: (now := site.balanced()) and now["stored"] == 20, "everything")


def test_an_outbox_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    Outbox(path, "gw-1", 50_000_000, lambda: T0).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(OutboxNewer):
        Outbox(path, "gw-1", 50_000_000, lambda: T0)
    assert path.read_bytes() == before


def later(message: msgspec.Struct, **more: Any) -> bytes:
    """A message as a later version would send it: with fields that this one does not know."""
    return msgspec.msgpack.encode(
        {**msgspec.to_builtins(message, builtin_types=(bytes,)), "from_later": [1, {"x": 2}], **more}
    )


def test_a_cloud_reads_agents_of_a_later_and_an_earlier_version(tmp_path: Path) -> None:
    """Unknown fields are ignored, missing ones have defaults, another major version of the frame is quarantined."""
    good = frame(1, [reading("d", T0, message_count=1)])

    async def talk(port: int) -> tuple[Welcome, FrameAck]:
        async with aiomqtt.Client("127.0.0.1", port) as client, asyncio.timeout(15):
            await client.subscribe([(topics.ack("gw-1"), 0), (topics.welcome("gw-1"), 0)])
            asking = GatewayState(online=True, session="s1", at_ms=T0, ask=True)
            await client.publish(topics.state("gw-1"), later(asking), qos=1)
            await client.publish(topics.up(POISONER, "bulk"), sealed(b"", 1, version=VERSION + 1), qos=1)
            await client.publish(topics.up("gw-1", "bulk"), good.payload, qos=1)
            welcome = ack = None
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                if str(message.topic) == topics.welcome("gw-1"):
                    welcome = msgspec.msgpack.decode(message.payload, type=Welcome)
                else:
                    ack = msgspec.msgpack.decode(message.payload, type=FrameAck)
                if welcome and ack:
                    # The state of the first version: nothing but what it had then.
                    first = {"online": True, "session": "s2", "at_ms": T0, "agent_version": "0.0.1"}
                    await client.publish(topics.state("gw-1"), msgspec.msgpack.encode(first), qos=1)
                    return welcome, ack
        raise AssertionError

    with running_broker("nats-cloud", tmp_path / "broker") as broker:
        cloud = CloudApi(tmp_path / "cloud", broker.port)
        cloud.start()
        try:
            cloud.wait_ready()
            names = {"name": {"zh": "测试", "en": "Test"}}
            cloud.send("PUT", "communities/c", names)
            cloud.send("PUT", "gateways/gw-1", {"community_id": "c", **names})
            welcome, ack = asyncio.run(talk(broker.port))
            assert welcome.session == "s1"
            assert (ack.epoch, ack.ranges) == (EPOCH, [(1, 1)])
            wait_for(lambda: cloud.get("gateways/gw-1")["agent_version"] == "0.0.1", "the earlier version's state")
            refused = cloud.get("quarantine", limit=10)["items"]
            assert [(each["reason"], each["gateway_id"]) for each in refused] == [("version_unknown", POISONER)]
            assert str(VERSION + 1) in refused[0]["detail"]
        finally:
            cloud.stop()


def test_an_agent_understands_a_later_cloud(tmp_path: Path) -> None:
    """Every message that comes down has fields more than this agent knows: acknowledgements, answers, commands."""

    def with_more(packet: Any) -> list[bytes] | None:
        if packet.kind != 3 or packet.way != "down" or not packet.topic.startswith(topics.ROOT) or not packet.payload:
            return None
        known = msgspec.msgpack.decode(packet.payload)
        what = packet.topic.rpartition("/")[2]
        payload = msgspec.msgpack.encode({"from_later": {"x": [1, 2]}, **known})
        if "signature" in known:  # the later cloud signs what it says
            body = payload[:-SIGNATURE_BYTES]
            payload = body + key.sign(f"linli {what}\0".encode() + body)
        changed.append(what)
        return [packet.with_payload(payload)]

    changed: list[str] = []
    with running_site(tmp_path, proxied=True) as site, Valve(site.local_broker.port) as valve:
        key = signing_key(site.cloud_key.parent, None)
        site.uplink.rule(with_more)
        site.uplink.cut()
        wait_for(lambda: site.uplink.counts["connections"] >= 2, "another session")
        site.agent.wait_ready(cloud=True)
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 200, "some load")
        reached(site, order(site, valve_id(site), "close_valve", "later"), "confirmed")
        assert valve.acts == [False]
        assert {"ack", "welcome", "command", "ingest"} <= set(changed)
        acked = load.stop()
        wait_for(
            lambda: (site.agent.status() or {"gauges": {"buffered_samples": 1}})["gauges"]["buffered_samples"] == 0,
            "acks",
        )
        found = wait_for(lambda: site.cloud.device("kills"), "the device")
        wait_for(lambda: len(site.cloud.samples(found["id"], "message_count")) == len(acked), "telemetry", 20, 0.2)
