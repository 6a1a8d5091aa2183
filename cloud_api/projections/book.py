"""The book: the records in frames (inventory, command progress, refusals, drops, reports), each given to who keeps it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cloud_api.projections.runner import OpenFrame
from cloud_api.sqlite_thread import SqliteThread

Handler = Callable[[str, Any], Awaitable[None]]
"""(gateway, record). Idempotent: after a crash the records of the last batch come again."""


class Book:
    """A projection whose data is elsewhere: its cursor moves after the handlers, so they must be idempotent."""

    name = "book"
    batch_frames = 200
    pace_s = 0.0

    def __init__(self, path: Path, handlers: Mapping[type, Handler]) -> None:
        schema = (
            "CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL)"
        )
        self._file = SqliteThread(path, schema, "NORMAL")
        self._handlers = handlers

    async def cursor(self) -> int:
        """See ``Projection.cursor``."""
        row = await self._file.read(lambda db: db.execute("SELECT position FROM cursor").fetchone())
        return int(row[0]) if row else 0

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """See ``Projection.apply``."""
        for frame in frames:
            for record in frame.columns.records:
                handler = self._handlers.get(type(record))
                if handler is not None:
                    await handler(frame.columns.header.gateway, record)
        position = frames[-1].position
        await self._file.write(lambda db: db.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (position,)))

    async def reset(self) -> None:
        """See ``Projection.reset``."""
        await self._file.write(lambda db: db.execute("DELETE FROM cursor"))

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()
