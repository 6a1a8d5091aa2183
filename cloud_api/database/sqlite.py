"""A SQLite file as a ``Database``."""

import sqlite3
from pathlib import Path
from typing import Any, Literal

from cloud_api.database.sql import Statement
from cloud_api.sqlite_thread import SqliteThread


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

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()


def _named(values: tuple[Any, ...]) -> dict[str, Any]:
    return {str(number): value for number, value in enumerate(values, 1)}
