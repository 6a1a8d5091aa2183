"""What only a server has to do: many processes at once, and word of what another one has committed."""

import asyncio
import time
from contextlib import AsyncExitStack, suppress

from cloud_api.database.postgres import CONNECTIONS_MAX, open_postgres
from cloud_api.durable import open_server
from cloud_api.framelog import FrameLog, LoggedFrame, Outcome
from cloud_api.framelog.coverage import StreamKey
from cloud_api.framelog.postgres import APPEND_LOCK, LOOK_S
from device_registry import DatabaseUnavailable
from tests.integration.frames import EPOCH, T0, frame, reading
from tests.postgres import Postgres

WORKERS = 4
FRAMES = 400


def one(seq: int, gateway: str = "gw-1"):  # type: ignore[no-untyped-def]
    return frame(seq, [reading("d", T0 + seq, message_count=seq)], seq - 1, gateway=gateway)


def test_many_append_at_once_and_a_reader_misses_nothing(postgres: Postgres) -> None:
    """Each worker is given every frame, some in another order: one of them stores it; positions appear in their order."""
    address = postgres.new_database()

    async def work(log: FrameLog, number: int) -> int:
        stored = 0
        batch = 5 + number
        seqs = list(range(1, FRAMES + 1))
        for first in range(0, FRAMES, batch):
            part = seqs[first : first + batch]
            outcomes = await log.append([one(seq) for seq in (part if number % 2 else reversed(part))])
            assert set(outcomes) <= {Outcome.STORED, Outcome.DUPLICATE}
            stored += outcomes.count(Outcome.STORED)
        return stored

    async def read(log: FrameLog) -> list[LoggedFrame]:
        found: list[LoggedFrame] = []
        while len(found) < FRAMES:
            cursor = found[-1].position if found else 0
            await log.wait(cursor)
            found += await log.read(cursor, 50)
        return found

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            logs = [(await stack.enter_async_context(open_server(address))).framelog for _ in range(WORKERS + 1)]
            async with asyncio.timeout(60):
                reading_all = asyncio.ensure_future(read(logs[0]))
                stored = await asyncio.gather(*(work(log, number) for number, log in enumerate(logs[1:])))
                found = await reading_all
            assert sum(stored) == FRAMES
            assert sorted(each.payload for each in found) == sorted(one(seq).payload for seq in range(1, FRAMES + 1))
            (coverage,) = (await logs[0].coverage([StreamKey("gw-1", EPOCH, "bulk")])).values()
            assert coverage.ack_ranges() == [(1, FRAMES)]
            assert [(held.samples, held.samples_before) for held in coverage.ranges] == [(FRAMES, 0)]

    asyncio.run(scenario())


def test_another_processs_frame_wakes_at_once(postgres: Postgres) -> None:
    address = postgres.new_database()

    async def scenario() -> None:
        async with open_server(address) as here, open_server(address) as there:
            waits = []
            position = 0
            for seq in range(1, 6):
                waiting = asyncio.ensure_future(here.framelog.wait(position))
                await asyncio.sleep(0.3 if seq == 1 else 0.01)  # the listener connects with the first wait
                assert not waiting.done()
                began = time.monotonic()
                await there.framelog.append([one(seq)])
                await waiting
                waits.append(time.monotonic() - began)
                position = await here.framelog.last_position()
            assert sorted(waits)[2] < LOOK_S / 2, f"woken by looking, not by being told: {waits}"

    asyncio.run(scenario())


def test_sessions_that_are_lost_leave_the_pool_whole(postgres: Postgres) -> None:
    address = postgres.new_database()

    async def scenario() -> None:
        async with open_postgres(address) as database, open_postgres(address) as other:
            for _ in range(2 * CONNECTIONS_MAX):
                try:
                    async with database.session() as connection:
                        await other.fetch("SELECT pg_terminate_backend($1)", connection.get_server_pid())
                        await connection.fetch("SELECT 1")
                except DatabaseUnavailable:
                    continue
                raise AssertionError("the session was not lost")
            async with asyncio.timeout(10), AsyncExitStack() as stack:
                for _ in range(CONNECTIONS_MAX):
                    await (await stack.enter_async_context(database.session())).fetch("SELECT 1")
            assert database.connections <= CONNECTIONS_MAX

    asyncio.run(scenario())


def test_a_process_stopped_while_it_holds_the_lock_is_cut_off(postgres: Postgres) -> None:
    """It sits in a transaction and says nothing: the server ends it, and the others go on."""
    address = postgres.new_database()

    async def scenario() -> None:
        async with open_server(address) as durable, open_postgres(address) as stopped, asyncio.timeout(30):
            with suppress(DatabaseUnavailable):  # that is how the stopped one finds out, later
                async with stopped.transaction() as connection:
                    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '2s'")
                    await connection.execute("SELECT pg_advisory_xact_lock($1)", APPEND_LOCK)
                    assert await durable.framelog.append([one(1)]) == [Outcome.STORED]

    asyncio.run(scenario())
