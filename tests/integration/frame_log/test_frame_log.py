"""What every frame log must do, whatever holds it. One suite, every engine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from cloud_api.durable import open_files, open_server
from cloud_api.framelog import CONFLICTS_KEPT, FrameLog, Outcome
from cloud_api.framelog.coverage import StreamKey
from device_registry import PostgresAddress
from tests.integration.frames import EPOCH, frame, reading
from tests.postgres import Postgres

KEY = StreamKey("gw-1", EPOCH, "bulk")
Open = Callable[[], AbstractAsyncContextManager[FrameLog]]


@pytest.fixture(params=["sqlite", "postgres"])
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the log; again after a close it is the same log."""
    if request.param == "sqlite":
        return lambda: opened_files(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    address = server.new_database()
    return lambda: opened_server(address)


@asynccontextmanager
async def opened_files(folder: Path) -> AsyncIterator[FrameLog]:
    async with open_files(folder) as durable:
        yield durable.framelog


@asynccontextmanager
async def opened_server(address: PostgresAddress) -> AsyncIterator[FrameLog]:
    async with open_server(address) as durable:
        yield durable.framelog


def one(seq: int, value: int = 0, before: int | None = None):  # type: ignore[no-untyped-def]
    return frame(
        seq, [reading("d", 1_790_000_000_000 + seq, message_count=value)], seq - 1 if before is None else before
    )


def test_a_frame_is_stored_once_and_a_copy_is_a_no_op(open_log: Open) -> None:
    async def scenario() -> None:
        async with open_log() as log:
            assert await log.append([one(1), one(2)]) == [Outcome.STORED, Outcome.STORED]
            assert await log.append([one(2), one(3), one(3)]) == [Outcome.DUPLICATE, Outcome.STORED, Outcome.DUPLICATE]
            assert [each.payload for each in await log.read(0, 10)] == [one(n).payload for n in (1, 2, 3)]

    asyncio.run(scenario())


def test_another_frame_with_the_same_key_is_a_recorded_conflict(open_log: Open) -> None:
    async def scenario() -> None:
        async with open_log() as log:
            await log.append([one(1)])
            assert await log.append([one(1, value=99)]) == [Outcome.CONFLICT]
            await log.append([one(1, value=99), one(2), one(2, value=98), one(2, value=98)])
            found = await log.conflicts("gw-1")
            assert [(each.seq, each.payload) for each in found] == [
                (2, one(2, value=98).payload), (1, one(1, value=99).payload),
            ], "each once, newest first"  # fmt: skip
            assert await log.conflicts("gw-1", found[0].number, 1) == found[1:]
            assert (await log.count_conflicts("gw-1"), await log.count_conflicts("gw-2")) == (2, 0)
            assert [each.payload for each in await log.read(0, 10)] == [one(1).payload, one(2).payload]

    asyncio.run(scenario())


def test_of_a_gateways_conflicts_a_bounded_number_is_kept(open_log: Open) -> None:
    async def scenario() -> None:
        async with open_log() as log:
            await log.append([one(1)])
            for start in range(0, 300, 100):
                await log.append([one(1, value=value) for value in range(start + 1, start + 101)])
            assert await log.count_conflicts("gw-1") == CONFLICTS_KEPT == len(await log.conflicts("gw-1"))
            assert await log.append([one(1, value=999)]) == [Outcome.CONFLICT]

    asyncio.run(scenario())


def test_coverage_merges_and_survives(open_log: Open) -> None:
    async def scenario() -> None:
        async with open_log() as log:
            for seq in (5, 1, 2, 9, 3, 4):
                await log.append([one(seq)])
            assert (await log.coverage([KEY]))[KEY].ack_ranges() == [(1, 5), (9, 9)]
        async with open_log() as log:
            coverage = (await log.coverage([KEY]))[KEY]
            assert coverage.ack_ranges() == [(1, 5), (9, 9)]
            assert [(held.samples, held.samples_before) for held in coverage.ranges] == [(5, 0), (1, 8)]
            assert [key for key, _ in await log.streams("gw-1")] == [KEY]
            assert await log.streams("gw-2") == []
            await log.append([one(seq) for seq in (6, 7, 8)])
            assert (await log.coverage([KEY]))[KEY].ack_ranges() == [(1, 9)]

    asyncio.run(scenario())


def test_pages_follow_the_order_of_commits(open_log: Open) -> None:
    async def scenario() -> None:
        async with open_log() as log:
            for seq in (3, 1, 2):
                await log.append([one(seq)])
            first = await log.read(0, 2)
            rest = await log.read(first[-1].position, 2)
            assert [each.payload for each in (*first, *rest)] == [one(n).payload for n in (3, 1, 2)]
            assert rest[-1].position == await log.last_position()

    asyncio.run(scenario())


def test_waiting_ends_with_the_next_frame(open_log: Open) -> None:
    async def scenario() -> None:
        async with open_log() as log:
            waiting = asyncio.ensure_future(log.wait(await log.last_position()))
            await asyncio.sleep(0)
            assert not waiting.done()
            await log.append([one(1)])
            async with asyncio.timeout(5):
                await waiting

    asyncio.run(scenario())


def test_ranges_of_an_acknowledgement_are_bounded(open_log: Open) -> None:
    async def scenario() -> None:
        async with open_log() as log:
            await log.append([one(seq) for seq in range(1, 401, 2)])
            ranges = (await log.coverage([KEY]))[KEY].ack_ranges()
            assert len(ranges) == 64
            assert ranges[0] == (1, 1)
            assert ranges[-1] == (399, 399)

    asyncio.run(scenario())
