"""PostgreSQL as a ``Database``: one bounded pool a process, and every wait on the server bounded.

A server that hangs answers nothing, not even that it can't: whatever takes too long ends the session it happened in, so
that neither the pool nor who waits for it is stuck. The server ends transactions that a stopped process has left open;
else the locks in them would hold up everybody.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy as Connection

from cloud_api.database.sql import Statement
from device_registry import SESSION_LOST, PostgresAddress, database_errors

SCHEMA_LOCK = 0x4C4E4C01
CONNECTIONS_MAX = 8
CONNECT_S = 5.0
ACQUIRE_S = 5.0
STATEMENT_S = 10.0
RELEASE_S = 2.0
CLOSE_S = 5.0


class PostgresDatabase:
    """See ``Database``. ``session`` and ``transaction`` lend a connection to who needs more than that."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        """A connection from the pool. Raises DatabaseUnavailable and ValueRefused, also for what goes wrong while it is
        lent."""
        with database_errors():
            connection = await self._pool.acquire(timeout=ACQUIRE_S)
            try:
                yield connection
            except SESSION_LOST:
                connection.terminate()  # it may be in the middle of an answer that never comes
                raise
            finally:
                await self._pool.release(connection, timeout=RELEASE_S)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection with a transaction open: committed at the end, or rolled back."""
        async with self.session() as connection, connection.transaction():
            yield connection

    async def fetch(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """See ``Database.fetch``."""
        async with self.session() as connection:
            return [tuple(row) for row in await connection.fetch(sql, *values)]

    async def execute(self, *statements: Statement) -> None:
        """See ``Database.execute``."""
        async with self.transaction() as connection:
            for sql, values in statements:
                await connection.execute(sql, *values)

    async def make_schema(self, *later: str) -> None:
        """Make what is missing. Several processes may do so at once.

        later  statements that may be repeated, for what has come after the first version
        """
        schema = (Path(__file__).parent / "postgres.sql").read_text(encoding="utf-8")
        async with self.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
            if await connection.fetchval("SELECT to_regclass('cursors')") is None:  # the last one: then all are there
                await connection.execute(schema)
            for statement in later:
                await connection.execute(statement)

    @property
    def connections(self) -> int:
        """Open connections, at most CONNECTIONS_MAX."""
        return int(self._pool.get_size())


@asynccontextmanager
async def open_postgres(address: PostgresAddress) -> AsyncIterator[PostgresDatabase]:
    """A pool for the length of a program. It connects when it is first needed, and again after every loss."""
    pool = asyncpg.create_pool(
        **address.connect_options(),
        min_size=0,
        max_size=CONNECTIONS_MAX,
        timeout=CONNECT_S,
        command_timeout=STATEMENT_S,
        reset=_nothing_to_reset,
    )
    await pool
    try:
        yield PostgresDatabase(pool)
    finally:
        try:
            async with asyncio.timeout(CLOSE_S):
                await pool.close()
        except (TimeoutError, OSError, asyncpg.InterfaceError):
            pool.terminate()


async def _nothing_to_reset(connection: Any) -> None:
    """Nobody changes a session's state, so the usual round trip after each use is saved."""
