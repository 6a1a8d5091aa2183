"""The frame log in SQLite: one file, one thread, one transaction a batch."""

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from cloud_api.framelog.coverage import Coverage, CoverageChanges, Range, StreamKey
from cloud_api.framelog.log import CONFLICTS_KEPT, Conflict, IncomingFrame, LoggedFrame, Outcome, Place
from cloud_api.sqlite_thread import SqliteThread

_PAYLOAD = "SELECT payload FROM frames WHERE gateway = ? AND epoch = ? AND lane = ? AND seq = ?"
_CONFLICT = """
INSERT INTO conflicts (gateway, epoch, lane, seq, received_ms, payload) SELECT ?1, ?2, ?3, ?4, ?5, ?6
WHERE (SELECT count(*) FROM conflicts WHERE gateway = ?1) < ?7 AND NOT EXISTS
    (SELECT 1 FROM conflicts WHERE gateway = ?1 AND epoch = ?2 AND lane = ?3 AND seq = ?4 AND payload = ?6)
"""


class SqliteFrameLog:
    """See ``FrameLog``. Only one process may have the file open for writing."""

    def __init__(self, path: Path) -> None:
        schema = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
        self._file = SqliteThread(path, schema, "FULL")
        self._coverage: dict[StreamKey, Coverage] = {}
        self._position = -1
        self._grown = asyncio.Condition()

    async def append(self, frames: Sequence[IncomingFrame]) -> list[Outcome]:
        """See ``FrameLog.append``."""
        try:
            outcomes = await self._file.write(lambda db: self._append(db, frames))
        except BaseException:
            self._coverage.clear()  # memory may be ahead of the file: read it again
            raise
        if Outcome.STORED in outcomes:
            async with self._grown:
                self._position = -1
                self._grown.notify_all()
        return outcomes

    def _append(self, db: sqlite3.Connection, frames: Sequence[IncomingFrame]) -> list[Outcome]:
        outcomes = []
        changes = CoverageChanges()
        for header, payload, received_ms in frames:
            key = StreamKey(header.gateway, header.epoch, header.lane)
            stored = db.execute(
                "INSERT INTO frames (gateway, epoch, lane, seq, received_ms, payload) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (*key, header.seq, received_ms, payload),
            ).rowcount
            if not stored:
                outcomes.append(self._same_key(db, key, header.seq, payload, received_ms))
                continue
            outcomes.append(Outcome.STORED)
            changes.add(key, self._held(db, key), header.seq, header.samples, header.samples_before)
        db.executemany(
            "DELETE FROM coverage WHERE gateway = ? AND epoch = ? AND lane = ? AND first_seq = ?", changes.gone
        )
        db.executemany("INSERT OR REPLACE INTO coverage VALUES (?, ?, ?, ?, ?, ?, ?)", changes.changed)
        return outcomes

    def _same_key(self, db: sqlite3.Connection, key: StreamKey, seq: int, payload: bytes, received_ms: int) -> Outcome:
        (known,) = db.execute(_PAYLOAD, (*key, seq)).fetchone()
        if known == payload:
            return Outcome.DUPLICATE
        db.execute(_CONFLICT, (*key, seq, received_ms, payload, CONFLICTS_KEPT))
        return Outcome.CONFLICT

    def _held(self, db: sqlite3.Connection, key: StreamKey) -> Coverage:
        if key not in self._coverage:
            self._coverage[key] = Coverage(
                Range(*row)
                for row in db.execute(
                    "SELECT first_seq, last_seq, samples, samples_before FROM coverage "
                    "WHERE gateway = ? AND epoch = ? AND lane = ?",
                    key,
                )
            )
        return self._coverage[key]

    async def read(self, after: int, limit: int) -> list[LoggedFrame]:
        """See ``FrameLog.read``."""
        return await self._file.read(
            lambda db: [
                LoggedFrame(*row)
                for row in db.execute(
                    "SELECT position, received_ms, payload FROM frames WHERE position > ? ORDER BY position LIMIT ?",
                    (after, limit),
                )
            ]
        )

    async def find(self, places: Collection[Place]) -> dict[Place, bytes]:
        """See ``FrameLog.find``."""

        def find(db: sqlite3.Connection) -> dict[Place, bytes]:
            rows = {place: db.execute(_PAYLOAD, (*place[0], place[1])).fetchone() for place in places}
            return {place: row[0] for place, row in rows.items() if row}

        return await self._file.read(find)

    async def wait(self, after: int) -> None:
        """See ``FrameLog.wait``."""
        async with self._grown:
            while await self.last_position() <= after:
                await self._grown.wait()

    async def last_position(self) -> int:
        """See ``FrameLog.last_position``."""
        if self._position < 0:
            self._position = await self._file.read(
                lambda db: int(db.execute("SELECT coalesce(max(position), 0) FROM frames").fetchone()[0])
            )
        return self._position

    async def coverage(self, keys: Collection[StreamKey]) -> dict[StreamKey, Coverage]:
        """See ``FrameLog.coverage``."""

        def find(db: sqlite3.Connection) -> dict[StreamKey, Coverage]:
            found = {key: Coverage(self._held(db, key).ranges) for key in keys}
            for key, held in found.items():
                if not held.ranges:
                    del self._coverage[key]  # gateways may ask for epochs that never were
            return found

        return await self._file.read(find)

    async def streams(self, gateway: str) -> list[tuple[StreamKey, Coverage]]:
        """See ``FrameLog.streams``."""

        def find(db: sqlite3.Connection) -> list[tuple[StreamKey, Coverage]]:
            keys = db.execute("SELECT DISTINCT gateway, epoch, lane FROM coverage WHERE gateway = ?", (gateway,))
            return [(StreamKey(*row), Coverage(self._held(db, StreamKey(*row)).ranges)) for row in keys.fetchall()]

        return await self._file.read(find)

    async def conflicts(self, gateway: str, before: int | None = None, limit: int = CONFLICTS_KEPT) -> list[Conflict]:
        """See ``FrameLog.conflicts``."""
        rows = await self._file.read(
            lambda db: db.execute(
                "SELECT number, gateway, epoch, lane, seq, received_ms, payload FROM conflicts "
                "WHERE gateway = ? AND number < ? ORDER BY number DESC LIMIT ?",
                (gateway, before if before is not None else 2**63 - 1, limit),
            ).fetchall()
        )
        return [Conflict(row[0], StreamKey(*row[1:4]), *row[4:]) for row in rows]

    async def count_conflicts(self, gateway: str) -> int:
        """See ``FrameLog.count_conflicts``."""
        return await self._file.read(
            lambda db: int(db.execute("SELECT count(*) FROM conflicts WHERE gateway = ?", (gateway,)).fetchone()[0])
        )

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()
