"""The book: the records in frames (inventory, command progress, refusals, drops, reports), each given to who keeps it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from cloud_api.database import Database, Statement
from cloud_api.projections.runner import OpenFrame

SCHEMA = "CREATE TABLE IF NOT EXISTS cursors (projection TEXT PRIMARY KEY, position INTEGER NOT NULL)"

Handler = Callable[[str, Any], Awaitable[None]]
"""(gateway, record). Idempotent: after a crash the records of the last batch come again."""
BatchHandler = Callable[[str, Sequence[Any]], Awaitable[None]]
"""(gateway, records of one type, in their order). Idempotent as well."""

TOGETHER_MAX = 500
"""Records that a batch handler is given at once: its transaction holds up others for no longer."""


class Book:
    """A projection whose data is elsewhere: its cursor moves after the handlers, so they must be idempotent."""

    name = "book"
    batch_frames = 200
    pace_s = 0.0

    def __init__(
        self, database: Database, handlers: Mapping[type, Handler], together: Mapping[type, BatchHandler] | None = None
    ) -> None:
        """together: who keeps all of a type at once, after the records that are kept one by one."""
        self._database = database
        self._handlers = handlers
        self._together = together or {}

    async def cursor(self) -> int:
        """See ``Projection.cursor``."""
        rows = await self._database.fetch("SELECT position FROM cursors WHERE projection = $1", self.name)
        return int(rows[0][0]) if rows else 0

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """See ``Projection.apply``."""
        together: dict[tuple[type, str], list[Any]] = {}
        for frame in frames:
            gateway = frame.columns.header.gateway
            for record in frame.columns.records:
                if type(record) in self._together:
                    together.setdefault((type(record), gateway), []).append(record)
                elif (handler := self._handlers.get(type(record))) is not None:
                    await handler(gateway, record)
        for (kind, gateway), records in together.items():
            for start in range(0, len(records), TOGETHER_MAX):
                await self._together[kind](gateway, records[start : start + TOGETHER_MAX])
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
