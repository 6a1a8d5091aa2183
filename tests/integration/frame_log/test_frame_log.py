"""What every frame log must do, whatever holds it. One suite, every engine."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cloud_api.framelog import FrameLog, Outcome, SqliteFrameLog
from cloud_api.framelog.coverage import StreamKey
from tests.integration.frames import EPOCH, frame, reading

KEY = StreamKey("gw-1", EPOCH, "bulk")
Open = Callable[[], Awaitable[FrameLog]]


@pytest.fixture(params=["sqlite"])
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the log; again after a close it is the same log."""

    async def opener() -> FrameLog:
        return SqliteFrameLog(tmp_path / "framelog.sqlite")

    return opener


def one(seq: int, value: int = 0, before: int | None = None):  # type: ignore[no-untyped-def]
    return frame(
        seq, [reading("d", 1_790_000_000_000 + seq, message_count=value)], seq - 1 if before is None else before
    )


def test_a_frame_is_stored_once_and_a_copy_is_a_no_op(open_log: Open) -> None:
    async def scenario() -> None:
        log = await open_log()
        assert await log.append([one(1), one(2)]) == [Outcome.STORED, Outcome.STORED]
        assert await log.append([one(2), one(3), one(3)]) == [Outcome.DUPLICATE, Outcome.STORED, Outcome.DUPLICATE]
        assert [each.payload for each in await log.read(0, 10)] == [one(n).payload for n in (1, 2, 3)]
        await log.close()

    asyncio.run(scenario())


def test_another_frame_with_the_same_key_is_a_recorded_conflict(open_log: Open) -> None:
    async def scenario() -> None:
        log = await open_log()
        await log.append([one(1)])
        assert await log.append([one(1, value=99)]) == [Outcome.CONFLICT]
        assert await log.conflicts("gw-1") == 1
        assert [each.payload for each in await log.read(0, 10)] == [one(1).payload]
        await log.close()

    asyncio.run(scenario())


def test_coverage_merges_and_survives(open_log: Open) -> None:
    async def scenario() -> None:
        log = await open_log()
        for seq in (5, 1, 2, 9, 3, 4):
            await log.append([one(seq)])
        assert (await log.coverage(KEY)).ack_ranges() == [(1, 5), (9, 9)]
        await log.close()
        log = await open_log()
        coverage = await log.coverage(KEY)
        assert coverage.ack_ranges() == [(1, 5), (9, 9)]
        assert [(held.samples, held.samples_before) for held in coverage.ranges] == [(5, 0), (1, 8)]
        assert [key for key, _ in await log.streams("gw-1")] == [KEY]
        assert await log.streams("gw-2") == []
        await log.append([one(seq) for seq in (6, 7, 8)])
        assert (await log.coverage(KEY)).ack_ranges() == [(1, 9)]
        await log.close()

    asyncio.run(scenario())


def test_pages_follow_the_order_of_commits(open_log: Open) -> None:
    async def scenario() -> None:
        log = await open_log()
        for seq in (3, 1, 2):
            await log.append([one(seq)])
        first = await log.read(0, 2)
        rest = await log.read(first[-1].position, 2)
        assert [each.payload for each in (*first, *rest)] == [one(n).payload for n in (3, 1, 2)]
        assert rest[-1].position == await log.last_position()
        await log.close()

    asyncio.run(scenario())


def test_waiting_ends_with_the_next_frame(open_log: Open) -> None:
    async def scenario() -> None:
        log = await open_log()
        waiting = asyncio.ensure_future(log.wait(await log.last_position()))
        await asyncio.sleep(0)
        assert not waiting.done()
        await log.append([one(1)])
        async with asyncio.timeout(5):
            await waiting
        await log.close()

    asyncio.run(scenario())


def test_ranges_of_an_acknowledgement_are_bounded(open_log: Open) -> None:
    async def scenario() -> None:
        log = await open_log()
        await log.append([one(seq) for seq in range(1, 401, 2)])
        ranges = (await log.coverage(KEY)).ack_ranges()
        assert len(ranges) == 64
        assert ranges[0] == (1, 1)
        assert ranges[-1] == (399, 399)
        await log.close()

    asyncio.run(scenario())
