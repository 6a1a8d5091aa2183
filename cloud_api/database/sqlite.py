"""A SQLite file as a ``Database``."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from cloud_api.database.sql import Statement
from cloud_api.sqlite_thread import SqliteThread

Answer = TypeVar("Answer")


class Ask(Protocol):
    """One statement within a transaction; returns its rows."""

    def __call__(self, sql: str, *values: Any) -> list[tuple[Any, ...]]: ...


class SqliteDatabase:
    """See ``Database``. Opens or creates the file and runs the schema."""

    def __init__(self, path: Path, schema: str, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> None:
        self._file = SqliteThread(path, schema, synchronous)

    async def fetch(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """See ``Database.fetch``."""
        return await self._file.read(lambda db: db.execute(sql, _named(values)).fetchall())

    async def execute(self, *statements: Statement) -> None:
        """See ``Database.execute``."""

        def work(db: sqlite3.Connection) -> None:
            for sql, values in statements:
                db.execute(sql, _named(values))

        await self._file.write(work)

    async def transaction(self, work: Callable[[Ask], Answer]) -> Answer:
        """What reads and then writes, with nobody between, also no other process. work: in a thread, asks statements."""

        def alone(db: sqlite3.Connection) -> Answer:
            return work(lambda sql, *values: db.execute(sql, _named(values)).fetchall())

        return await self._file.write(alone)

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()


def _named(values: tuple[Any, ...]) -> dict[str, Any]:
    return {str(number): value for number, value in enumerate(values, 1)}
