"""What a hostile gateway may write into its records and times: counted, in quarantine, and nothing stands still (F33)."""

import asyncio
import math
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest

from contracts import topics
from contracts.frame import encode_frame
from contracts.messages import (
    ChargingTransaction,
    CommandProgress,
    DeviceSeen,
    Discovered,
    Dropped,
    FrameAck,
    Proposal,
    Record,
    Refused,
    Reported,
)
from contracts.reading import Clock, Reading, Sample
from tests.brokers import running_broker
from tests.faults import LONG
from tests.integration.frames import EPOCH, T0
from tests.postgres import Postgres
from tests.processes import CloudApi, wait_for

GATEWAY = "gw-1"
RECORDS_A_FRAME = 8
NUMBERS = (2**63, 2**64 - 1, -(2**63), 2**63 - 1, 2**31)
TEXTS = ("\0", "a\0b", "x" * 30_000, "\U0010ffff" * 128, "")
FLOATS = (math.nan, math.inf, 1e308)
PROPOSAL = Proposal(profile="p", profile_version=1, kind="parking", score=0.5, device="d", values={"temperature": 1.0})


def honest(kind: type, command_id: str) -> Any:
    """A record of this type that could be true, with every field that it has."""
    fields = {
        DeviceSeen: {
            "device": "d-1",
            "profile": "nwave/nps",
            "kind": "parking",
            "name": "A-07",
            "verbs": ["open_barrier"],
        },
        CommandProgress: {"command_id": command_id, "state": "received", "reason": "why"},
        Dropped: {"epoch": EPOCH, "lane": "bulk", "reason": "size_cap", "first_seq": 10_000, "last_seq": 10_001},
        Discovered: {"topic": "t", "proposals": [PROPOSAL]},
        Reported: {"applied": True, "refused": {"p": "why"}},
        Refused: {"topic": "t", "reason": "json_invalid"},
        ChargingTransaction: {"device": "d-1"},
    }.get(kind, {})
    for name, hint in typing.get_type_hints(kind).items():
        if name not in fields and hint in (int, float, str, bool, bytes):
            fields[name] = hint(1)
    return kind(**fields)


def hostile(kind: type, command_id: str) -> Iterator[Any]:
    """The record with each field in turn as it must not be; all of it decodes."""
    for name, hint in typing.get_type_hints(kind).items():
        for value in {
            int: NUMBERS, float: FLOATS, str: TEXTS, list[str]: ([each] for each in TEXTS),
            dict[str, str]: ({each: each} for each in TEXTS),
            list[Proposal]: (msgspec.structs.replace(PROPOSAL, values={"\0": bad}) for bad in (*FLOATS, *NUMBERS)),
        }.get(hint, ()):  # fmt: skip
            wrong = [value] if isinstance(value, Proposal) else value
            yield msgspec.structs.replace(honest(kind, command_id), **{name: wrong})


def reading(at_ms: int, received_ms: int) -> Reading:
    return Reading(
        "d-1", at_ms, received_ms, Clock.DEVICE, (Sample("message_count", 1), Sample("vendor_error_code", "a\0b"))
    )


TIMES = ([reading(2**63, 2**63)], [reading(2**49, T0)], [reading(T0, T0), reading(-(2**61), T0), reading(T0, 2**62)])
"""Each a frame: event and arrival times that overflow what stores count in."""


async def send(port: int, payloads: list[bytes]) -> FrameAck:
    """Publish frames as the gateway; returns the acknowledgement that names them all, stored or rejected."""
    async with aiomqtt.Client("127.0.0.1", port) as client, asyncio.timeout(60):
        await client.subscribe(topics.ack(GATEWAY), 0)
        for payload in payloads:
            await client.publish(topics.up(GATEWAY, "bulk"), payload, qos=1)
        async for message in client.messages:
            ack = msgspec.msgpack.decode(message.payload, type=FrameAck)  # type: ignore[arg-type]
            if sum(last - first + 1 for first, last in ack.ranges) + len(ack.rejected) == len(payloads):
                return ack
    raise AssertionError


@pytest.mark.parametrize("database", ["sqlite", "postgres"] if LONG else ["sqlite"])
@pytest.mark.long
def test_no_record_and_no_time_stops_a_projection(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    server: Postgres | None = request.getfixturevalue("postgres") if database == "postgres" else None
    settings = server.settings(server.new_database()) if server else {}
    names = {"name": {"zh": "测试", "en": "Test"}}
    with running_broker("nats-cloud", tmp_path / "broker") as broker:
        cloud = CloudApi(tmp_path / "cloud", broker.port, LINLI_ADOPT="auto", **settings)
        cloud.start()
        try:
            cloud.wait_ready()
            cloud.send("PUT", "communities/c", names)
            cloud.send("PUT", f"gateways/{GATEWAY}", {"community_id": "c", **names})
            first = honest(DeviceSeen, "")
            asyncio.run(send(broker.port, [encode_frame(GATEWAY, "f" * 16, "bulk", 1, T0, 0, [], [first])]))
            device = wait_for(lambda: cloud.device("d-1"), "the device")
            status, command = cloud.order(device["id"], "one", "open_barrier")
            assert status == 202, command

            records = [record for kind in typing.get_args(Record) for record in hostile(kind, command["id"])]
            parts = [records[at : at + RECORDS_A_FRAME] for at in range(0, len(records), RECORDS_A_FRAME)]
            good = DeviceSeen(device="after", profile="p", profile_version=1, kind="parking", at_ms=T0)
            frames = [
                encode_frame(GATEWAY, EPOCH, "bulk", seq, T0, 0, [], [*part, good]) for seq, part in enumerate(parts, 1)
            ]
            last = len(frames)
            frames += [
                encode_frame(GATEWAY, EPOCH, "bulk", last + at, T0, 0, readings, [])
                for at, readings in enumerate([*TIMES, [reading(T0, T0)]], 1)
            ]
            ack = asyncio.run(send(broker.port, frames))
            assert ack.rejected == [last + 1, last + 2, last + 3], "a time out of all bounds is the frame's fault"

            def followed() -> bool:
                assert cloud.alive, cloud.log()[-3000:]
                figures = cloud.metrics()
                end = next(
                    line.split()[1] for line in figures.splitlines() if line.startswith("linli_framelog_position")
                )
                behind = [line for line in figures.splitlines() if line.startswith("linli_projection_cursor{")]
                return all(line.split()[1] == end for line in behind) and float(end) == len(frames) + 1 - len(TIMES)

            wait_for(followed, "every projection to be at the end of the log", 60)
            cloud.wait_ready()
            assert cloud.device("after") is not None, "an honest record beside a hostile one was not kept"
            assert len(cloud.samples(device["id"], "message_count")) == 1
            refused = [entry for entry in cloud.get("quarantine", limit=1000)["items"] if entry["origin"] == "record"]
            assert {"number_too_large", "text_has_nul"} <= {entry["reason"] for entry in refused}
            assert {entry["topic"] for entry in refused} >= {"device_seen", "command_progress", "dropped", "reported"}
            assert f"linli_book_refused_records_total {len(refused)}.0" in cloud.metrics()
            for path in ("devices", "quarantine", "commands", f"gateways/{GATEWAY}", f"gateways/{GATEWAY}/ledger"):
                cloud.get(path)
        finally:
            cloud.stop()
