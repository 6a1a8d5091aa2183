"""The book: the records in frames (inventory, command progress, refusals, drops, reports), each given to who keeps it.

A record that can't be kept stops nothing: it is handed to ``refuse`` and passed over. Only the world (OSError) makes the
book stand still.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from cloud_api.database import Database, Statement
from cloud_api.projections.record_fault import record_fault
from cloud_api.projections.runner import OpenFrame

log = logging.getLogger(__name__)

SCHEMA = "CREATE TABLE IF NOT EXISTS cursors (projection TEXT PRIMARY KEY, position INTEGER NOT NULL)"

Handler = Callable[[str, Any], Awaitable[None]]
"""(gateway, record). Idempotent: after a crash the records of the last batch come again."""
BatchHandler = Callable[[str, Sequence[Any]], Awaitable[None]]
"""(gateway, records of one type, in their order). Idempotent as well."""
Refuse = Callable[[str, Any, str, str, int], Awaitable[None]]
"""(gateway, record, reason, detail, received_ms). Idempotent as well."""

TOGETHER_MAX = 500
"""Records that a batch handler is given at once: its transaction holds up others for no longer."""


class Book:
    """A projection whose data is elsewhere: its cursor moves after the handlers, so they must be idempotent."""

    name = "book"
    batch_frames = 200
    pace_s = 0.0

    def __init__(
        self,
        database: Database,
        handlers: Mapping[type, Handler],
        refuse: Refuse,
        together: Mapping[type, BatchHandler] | None = None,
    ) -> None:
        """together: who keeps all of a type at once, after the records that are kept one by one."""
        self._database = database
        self._handlers = handlers
        self._refuse = refuse
        self._together = together or {}

    async def cursor(self) -> int:
        """See ``Projection.cursor``."""
        rows = await self._database.fetch("SELECT position FROM cursors WHERE projection = $1", self.name)
        return int(rows[0][0]) if rows else 0

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """See ``Projection.apply``."""
        together: dict[tuple[type, str], list[tuple[Any, int]]] = {}
        for frame in frames:
            gateway = frame.columns.header.gateway
            for record in frame.columns.records:
                kind = type(record)
                if kind not in self._handlers and kind not in self._together:
                    continue
                if reason := record_fault(record):
                    await self._refuse(gateway, record, reason, "", frame.received_ms)
                elif kind in self._together:
                    together.setdefault((kind, gateway), []).append((record, frame.received_ms))
                else:
                    await self._keep(self._handlers[kind], gateway, record, frame.received_ms)
        for (kind, gateway), records in together.items():
            for start in range(0, len(records), TOGETHER_MAX):
                await self._keep_all(self._together[kind], gateway, records[start : start + TOGETHER_MAX])
        await self._database.execute(
            Statement(
                "INSERT INTO cursors VALUES ($1, $2) "
                "ON CONFLICT (projection) DO UPDATE SET position = excluded.position",
                (self.name, frames[-1].position),
            )
        )

    async def _keep_all(self, handler: BatchHandler, gateway: str, records: Sequence[tuple[Any, int]]) -> None:
        try:
            await handler(gateway, [record for record, _ in records])
        except OSError:
            raise
        except Exception:  # noqa: BLE001 -- one of them, whatever it is; see ``_keep``

            async def alone(gateway: str, record: Any) -> None:
                await handler(gateway, [record])

            for record, received_ms in records:
                await self._keep(alone, gateway, record, received_ms)

    async def _keep(self, handler: Handler, gateway: str, record: Any, received_ms: int) -> None:
        try:
            await handler(gateway, record)
        except OSError:
            raise
        except Exception as error:
            log.exception("a record can't be kept", extra={"gateway": gateway, "record": type(record).__name__})
            await self._refuse(gateway, record, "record_refused", f"{type(error).__name__}: {error}", received_ms)

    async def reset(self) -> None:
        """See ``Projection.reset``."""
        await self._database.execute(Statement("DELETE FROM cursors WHERE projection = $1", (self.name,)))
