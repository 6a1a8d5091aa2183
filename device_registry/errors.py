"""What the registry refuses, and what the world does to it.

RegistryError
├── NotFound            no such row
└── Conflict            the change contradicts what is there
OSError
└── DatabaseUnavailable   the disk or the database does not take it: hold and try again
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import asyncpg
from tortoise.exceptions import DBConnectionError, OperationalError

SESSION_LOST = (OSError, asyncio.CancelledError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""After these nothing is known of a session's state; asyncpg calls it an internal error when the server's last word
crosses a query on its way."""
UNAVAILABLE = (
    OperationalError,
    DBConnectionError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What drivers raise when the database can't be used."""


class RegistryError(Exception):
    """Something the registry does not do; the text says why, for people."""


class NotFound(RegistryError):
    """There is no ``what`` with this id."""

    def __init__(self, what: str, key: str) -> None:
        super().__init__(f"there is no {what} {key!r}")
        self.what = what
        self.key = key


class Conflict(RegistryError):
    """The change contradicts what is there."""


class DatabaseUnavailable(OSError):
    """The database can't be used now: a full disk, a lock held too long, a server that is away or hangs."""


@contextmanager
def database_errors() -> Generator[None]:
    """Turns what the database's driver says of the world into DatabaseUnavailable; for tasks that try again."""
    try:
        yield
    except DatabaseUnavailable:
        raise
    except UNAVAILABLE as error:
        raise DatabaseUnavailable(str(error) or type(error).__name__) from error
