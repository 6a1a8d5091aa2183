"""When many ask at once: who has frames to send waits for a place, who has none is answered at once, all are in the end."""

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from cloud_api import ledger
from cloud_api.database import SqliteDatabase
from cloud_api.framelog import SqliteFrameLog
from cloud_api.framelog.coverage import Coverage, StreamKey
from cloud_api.ingest.admission import AT_ONCE, AT_ONCE_BEHIND, HELD_MS_MAX
from cloud_api.ingest.welcome import Question, Welcomes
from cloud_api.ledger import LedgerBook
from contracts import topics
from contracts.messages import GatewayState, LaneState, Welcome
from device_registry import DatabaseUnavailable

BUSY, IDLE = 300, 200


def question(frames: int) -> Question:
    lane = LaneState(
        epoch="0123456789abcdef", lane="bulk", last_seq=frames, produced=frames, oldest_unacked_seq=1, buffered=frames,
        dropped=0,
    )  # fmt: skip
    return Question(GatewayState(online=True, session="s", at_ms=7, ask=True, lanes=[lane]), 1_000)


def test_a_thousand_questions_and_a_few_places(tmp_path: Path) -> None:
    now_ms = 5_000
    behind = False
    answered: dict[str, Welcome] = {}

    async def publish(topic: str, payload: bytes) -> bool:
        answered[topics.gateway_of(topic)] = msgspec.msgpack.decode(payload, type=Welcome)
        return True

    async def is_behind() -> bool:
        return behind

    def busy() -> int:
        return sum(name.startswith("busy") for name in answered)

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)

    async def scenario() -> None:
        nonlocal now_ms, behind
        framelog, drops = SqliteFrameLog(tmp_path / "log.sqlite"), SqliteDatabase(tmp_path / "l.sqlite", ledger.SCHEMA)
        welcomes = Welcomes(
            framelog, LedgerBook(drops), lambda: now_ms, lambda gateway, instance: False, publish, is_behind
        )
        for number in range(BUSY):
            welcomes.asked(f"busy-{number:03}", question(3))
        for number in range(IDLE):
            welcomes.asked(f"idle-{number:03}", question(0))
        assert welcomes.waiting == BUSY + IDLE
        answering = asyncio.create_task(welcomes.run())
        await until(lambda: len(answered) - busy() == IDLE)
        await until(lambda: busy() == AT_ONCE)
        assert answered["busy-000"].waited_ms == 4_000, "what it has waited here is not the way's"

        first = [f"busy-{number:03}" for number in range(10)]
        welcomes.committed(first * 2)  # each has one frame still on its way
        await asyncio.sleep(0.3)
        assert busy() == AT_ONCE
        welcomes.committed(first)
        await until(lambda: busy() == AT_ONCE + 10)

        now_ms += HELD_MS_MAX  # their frames go elsewhere, or are lost: nobody waits for that
        behind = True
        await until(lambda: busy() == AT_ONCE + 10 + AT_ONCE_BEHIND)
        behind = False
        while busy() < BUSY:
            now_ms += HELD_MS_MAX
            await asyncio.sleep(0.05)
        assert welcomes.waiting == 0
        answering.cancel()
        await framelog.close()
        await drops.close()

    asyncio.run(scenario())


def test_while_the_database_is_away_nobody_is_forgotten(tmp_path: Path) -> None:
    """A gateway repeats its question more and more seldom: it is answered as soon as that can be."""
    answered: list[str] = []
    away = True

    async def publish(topic: str, payload: bytes) -> bool:
        answered.append(topics.gateway_of(topic))
        return True

    async def is_behind() -> bool:
        return False

    class AwayForAWhile(SqliteFrameLog):
        async def coverage(self, keys: Collection[StreamKey]) -> dict[StreamKey, Coverage]:
            if away:
                raise DatabaseUnavailable("away")
            return await super().coverage(keys)

    async def scenario() -> None:
        nonlocal away
        framelog, drops = AwayForAWhile(tmp_path / "log.sqlite"), SqliteDatabase(tmp_path / "l.sqlite", ledger.SCHEMA)
        welcomes = Welcomes(
            framelog, LedgerBook(drops), lambda: 5_000, lambda gateway, instance: False, publish, is_behind
        )
        welcomes.asked("busy", question(3))
        welcomes.asked("idle", question(0))
        answering = asyncio.create_task(welcomes.run())
        await asyncio.sleep(0.3)
        assert not answered
        away = False
        async with asyncio.timeout(10):
            while len(answered) < 2:
                await asyncio.sleep(0.01)
        assert sorted(answered) == ["busy", "idle"]
        answering.cancel()
        await framelog.close()
        await drops.close()

    asyncio.run(scenario())
