"""PostgreSQL for the registry: where it is, and a Tortoise backend that survives a server which dies or hangs.

Tortoise's own waits for a free connection without end, and loses one for good when BEGIN fails. ``client_class`` is
the name by which Tortoise finds a backend.
"""

import ssl
from typing import Any, NamedTuple

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections

from device_registry.errors import SESSION_LOST

CONNECT_S = 5.0
ACQUIRE_S = 5.0
STATEMENT_S = 5.0
CONNECTIONS_MAX = 5


class PostgresAddress(NamedTuple):
    """A database on a server. tls: None is plain text; nothing falls back to it."""

    host: str
    port: int
    user: str
    database: str
    password: str = ""
    tls: ssl.SSLContext | None = None

    def connect_options(self) -> dict[str, Any]:
        """Arguments of asyncpg's connect. What a process that is stopped in a transaction has locked is freed soon."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "database": self.database,
            "password": self.password or None,
            "ssl": self.tls or False,
            "server_settings": {
                "application_name": "linli",
                "idle_in_transaction_session_timeout": "10s",
                "statement_timeout": "30s",
            },
        }

    def tortoise(self) -> dict[str, Any]:
        """A connection in Tortoise's configuration."""
        bounds = {
            "minsize": 0,
            "maxsize": CONNECTIONS_MAX,
            "timeout": CONNECT_S,
            "command_timeout": STATEMENT_S,
        }
        return {"engine": "device_registry.postgres", "credentials": {**self.connect_options(), **bounds}}


class BoundedPool(asyncpg.Pool):  # type: ignore[misc]
    """A pool that nobody waits for without end, neither for a connection nor for giving it back."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        """See asyncpg.Pool. Raises TimeoutError."""
        return super().acquire(timeout=timeout or ACQUIRE_S)


class PostgresClient(AsyncpgDBClient):
    """Tortoise's client, with these two things put right."""

    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        """See Tortoise."""
        options.setdefault("max_queries", 50_000)
        options.setdefault("max_inactive_connection_lifetime", 300.0)
        return await BoundedPool(
            setup=None, init=None, loop=options.pop("loop", None), record_class=asyncpg.Record, **options
        )

    def _in_transaction(self) -> TransactionContext:
        return Transaction(TransactionWrapper(self), self._pool_init_lock)


class Transaction(TransactionContextPooled):
    """A transaction whose connection goes back to the pool whatever happens to it."""

    async def __aenter__(self) -> Any:
        await self.ensure_connection()
        pool = self.client._parent._pool
        connection = await pool.acquire()
        self.client._connection = connection
        try:
            await self.client.begin()
        except BaseException:
            connection.terminate()
            await pool.release(connection)
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        if exc_type is not None and issubclass(exc_type, SESSION_LOST):
            # The server does not answer, or will not: the end of the session is the end of the transaction.
            self.client._connection.terminate()
            self.client._finalized = True
        await super().__aexit__(exc_type, exc_val, exc_tb)


client_class = PostgresClient

__all__ = ["PostgresAddress", "client_class"]
