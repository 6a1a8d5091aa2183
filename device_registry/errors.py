"""What the registry refuses, and what the world does to it.

RegistryError
├── NotFound            no such row
└── Conflict            the change contradicts what is there
    └── DesiredTooLarge   a gateway's desired state would not fit into a message
OSError
└── DatabaseUnavailable   the disk or the database does not take it: hold and try again
ValueError
└── ValueRefused    the database never takes this value, however often it is tried: pass over it
"""

import asyncio
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

import asyncpg
from tortoise.exceptions import DBConnectionError, IntegrityError, OperationalError, ValidationError

SESSION_LOST = (OSError, asyncio.CancelledError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""After these nothing is known of a session's state; asyncpg calls it an internal error when the server's last word
crosses a query on its way."""
UNAVAILABLE = (
    OperationalError,
    sqlite3.OperationalError,
    DBConnectionError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What drivers raise when the database can't be used."""


OF_A_VALUE = (ValidationError, OverflowError, asyncpg.DataError)
"""What is raised for a value that no row can have, also in a query: too long or too large, or a text with a NUL in it."""


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


class DesiredTooLarge(Conflict):
    """With this change, the desired state of a gateway would not fit into one message."""

    def __init__(self, gateway_id: str, size_bytes: int, size_bytes_max: int) -> None:
        super().__init__(
            f"the desired state of {gateway_id!r} would be {size_bytes:,} bytes, {size_bytes_max:,} at most: "
            "it names every adopted device with its parameters and topics, and holds the profiles that were pushed"
        )


class DatabaseUnavailable(OSError):
    """The database can't be used now: a full disk, a lock held too long, a server that is away or hangs."""


class ValueRefused(ValueError):
    """The database never takes this value: a number that is too large, a NUL in a text, a key that is too long."""


_REFUSING = ("22", "23", "54")
"""Classes of SQLSTATE: data exception, integrity constraint violation, program limit exceeded."""


def _refuses_value(error: BaseException) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in _REFUSING
    # asyncpg's own word on a value that it can't send is an InterfaceError; Tortoise wraps the server's word.
    return isinstance(error, IntegrityError) or (
        isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    )


def is_of_a_value(error: BaseException) -> bool:
    """It is the value that is at fault, whichever layer says so: see OF_A_VALUE."""
    causes = (error, error.__cause__, error.__context__)
    return any(
        isinstance(each, (*OF_A_VALUE, ValueRefused))
        or (isinstance(each, asyncpg.InterfaceError) and isinstance(each, ValueError))
        for each in causes
    )


@contextmanager
def database_errors() -> Generator[None]:
    """Turns what the database's driver says of the world into DatabaseUnavailable, for tasks that try again; and what it
    says of a value into ValueRefused."""
    try:
        yield
    except DatabaseUnavailable:
        raise
    except OverflowError as error:  # SQLite's driver of a number
        raise ValueRefused(str(error)) from error
    except UNAVAILABLE as error:
        if _refuses_value(error):
            raise ValueRefused(str(error)) from error
        raise DatabaseUnavailable(str(error) or type(error).__name__) from error
