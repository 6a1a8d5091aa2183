"""Declared drops, quarantine and the book's cursor, in files and in PostgreSQL alike."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from cloud_api.durable import Durable, open_files, open_server
from cloud_api.framelog.coverage import StreamKey
from cloud_api.projections import Book
from contracts.ledger import Drop
from contracts.messages import Dropped, Refused
from tests.integration.frames import EPOCH, T0, frame, opened
from tests.postgres import Postgres

Open = Callable[[], AbstractAsyncContextManager[Durable]]


@pytest.fixture(params=["sqlite", "postgres"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the stores; again after a close they hold the same."""
    if request.param == "sqlite":
        return lambda: open_files(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    address = server.new_database()
    return lambda: open_server(address)


def twice(
    open_again: Open, write: Callable[[Durable], Awaitable[None]], read: Callable[[Durable], Awaitable[None]]
) -> None:
    async def scenario() -> None:
        for _ in range(2):  # everything is idempotent
            async with open_again() as durable:
                await write(durable)
        async with open_again() as durable:
            await read(durable)

    asyncio.run(scenario())


def test_drops(open_again: Open) -> None:
    async def write(durable: Durable) -> None:
        for first, last, reason in ((5, 9, "size_cap"), (1, 2, "age_cap")):
            await durable.ledger.dropped("gw-1", Dropped(
                epoch=EPOCH, lane="bulk", first_seq=first, last_seq=last, samples=10, reason=reason, at_ms=T0,
            ))  # fmt: skip
        await durable.ledger.quarantined(frame(7, [], gateway="gw-2").header, T0)

    async def read(durable: Durable) -> None:
        key = StreamKey("gw-1", EPOCH, "bulk")
        assert await durable.ledger.drops("gw-1") == {key: [Drop(1, 2, 10, "age_cap"), Drop(5, 9, 10, "size_cap")]}
        assert len(await durable.ledger.drops("gw-1", "gw-2", "gw-3")) == 2
        (drops,) = (await durable.ledger.drops("gw-2")).values()
        assert [(drop.first_seq, drop.last_seq, drop.reason) for drop in drops] == [(7, 7, "quarantined")]

    twice(open_again, write, read)


def test_quarantine(open_again: Open) -> None:
    async def write(durable: Durable) -> None:
        for number in range(3):
            refused = Refused(
                topic=f"t/{number}", reason="json_invalid", head=b"\x00\xff", size_bytes=2, at_ms=T0 + number
            )
            await durable.quarantine.device_refused("gw-1", refused)
        await durable.quarantine.frame_refused("gw-2", "topic", "not_a_frame", "a\0b", T0, b"\xc1" * 300)

    async def read(durable: Durable) -> None:
        everything = await durable.quarantine.newest(None, None, 10)
        assert [entry.topic for entry in everything] == ["topic", "t/2", "t/1", "t/0"]
        assert (everything[0].head, everything[0].size_bytes, everything[0].detail) == (b"\xc1" * 256, 300, "a\ufffdb")
        page = await durable.quarantine.newest(["gw-1"], everything[1].number, 1)
        assert [(entry.topic, entry.head) for entry in page] == [("t/1", b"\x00\xff")]

    twice(open_again, write, read)


def test_cursor(open_again: Open) -> None:
    async def write(durable: Durable) -> None:
        book = Book(durable.cursors, {}, durable.quarantine.record_refused)
        await book.apply([opened(41, frame(1, [])), opened(42, frame(2, []))])

    async def read(durable: Durable) -> None:
        book = Book(durable.cursors, {}, durable.quarantine.record_refused)
        assert await book.cursor() == 42
        await book.reset()
        assert await book.cursor() == 0

    twice(open_again, write, read)


def test_whose_instance_it_is(open_again: Open) -> None:
    async def write(durable: Durable) -> None:
        await durable.instances.keep({"gw-1": "first", "gw-2": "other"}, T0)
        await durable.instances.keep({"gw-1": "twin"}, T0 + 1)

    async def read(durable: Durable) -> None:
        assert await durable.instances.load() == {"gw-1": "twin", "gw-2": "other"}

    twice(open_again, write, read)
