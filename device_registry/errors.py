"""What the registry refuses, and what the world does to it.

RegistryError
├── NotFound            no such row
└── Conflict            the change contradicts what is there
OSError
└── DatabaseUnavailable   the disk or the database does not take it: hold and try again
"""

from collections.abc import Generator
from contextlib import contextmanager

from tortoise.exceptions import OperationalError


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
    """The database can't be used now: a full disk, a lock held too long. Nothing was changed."""


@contextmanager
def database_errors() -> Generator[None]:
    """Turns what the database's driver says of the world into DatabaseUnavailable; for tasks that try again."""
    try:
        yield
    except OperationalError as error:
        raise DatabaseUnavailable(str(error)) from error
