"""The book: the records in frames (inventory, command progress, refusals, drops, reports), each given to who keeps it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from cloud_api.database import Database, Statement
from cloud_api.projections.runner import OpenFrame

SCHEMA = "CREATE TABLE IF NOT EXISTS cursors (projection TEXT PRIMARY KEY, position INTEGER NOT NULL)"

Handler = Callable[[str, Any], Awaitable[None]]
"""(gateway, record). Idempotent: after a crash the records of the last batch come again."""


class Book:
    """A projection whose data is elsewhere: its cursor moves after the handlers, so they must be idempotent."""

    name = "book"
    batch_frames = 200
    pace_s = 0.0

    def __init__(self, database: Database, handlers: Mapping[type, Handler]) -> None:
        self._database = database
        self._handlers = handlers

    async def cursor(self) -> int:
        """See ``Projection.cursor``."""
        rows = await self._database.fetch("SELECT position FROM cursors WHERE projection = $1", self.name)
        return int(rows[0][0]) if rows else 0

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """See ``Projection.apply``."""
        for frame in frames:
            for record in frame.columns.records:
                handler = self._handlers.get(type(record))
                if handler is not None:
                    await handler(frame.columns.header.gateway, record)
        await self._database.execute(
            Statement(
                "INSERT INTO cursors VALUES ($1, $2) "
                "ON CONFLICT (projection) DO UPDATE SET position = excluded.position",
                (self.name, frames[-1].position),
            )
        )

    async def reset(self) -> None:
        """See ``Projection.reset``."""
        await self._database.execute(Statement("DELETE FROM cursors WHERE projection = $1", (self.name,)))
