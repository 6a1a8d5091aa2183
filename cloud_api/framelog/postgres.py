"""The frame log in PostgreSQL: any number of processes append to it at once.

Whoever appends holds one advisory lock from before the first position is given until the transaction can be seen.
So positions become visible in their order, and a projection that has read up to one never finds a smaller one later.
It also makes the ranges right without a cache: the rows next to the batch are read under the lock. What the lock
costs is one fsync at a time for a batch of up to some hundred frames; checking and opening frames, which is the work,
goes on in all processes at once. A batch of new frames takes five round trips, three of them under the lock.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

from asyncpg.pool import PoolConnectionProxy as Connection

from cloud_api.database import PostgresDatabase
from cloud_api.framelog.coverage import Coverage, CoverageChanges, Range, StreamKey
from cloud_api.framelog.log import CONFLICTS_KEPT, Conflict, IncomingFrame, LoggedFrame, Outcome, Place
from device_registry import DatabaseUnavailable

APPEND_LOCK = 0x4C4E4C03
CHANNEL = "linli_frames"
LOOK_S = 1.0
"""A notification wakes who waits for frames; one that is lost costs no more than this."""

_INSERT = """
WITH stored AS (
    INSERT INTO frames (gateway, epoch, lane, seq, received_ms, payload)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[])
    ON CONFLICT DO NOTHING RETURNING gateway, epoch, lane, seq
)
SELECT gateway, epoch, lane, seq, NULL::bigint AS last_seq, NULL::bigint AS samples, NULL::bigint FROM stored
UNION ALL
SELECT gateway, epoch, lane, first_seq, last_seq, samples, samples_before FROM coverage
JOIN unnest($7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[]) AS new (gateway, epoch, lane, low, high)
USING (gateway, epoch, lane) WHERE last_seq >= low - 1 AND first_seq <= high + 1
"""
"""What is new is stored; what comes back are these frames (without last_seq), and the ranges next to the batch."""
_KNOWN = """
SELECT gateway, epoch, lane, seq, payload FROM frames
JOIN unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS asked (gateway, epoch, lane, seq)
USING (gateway, epoch, lane, seq)
"""
_CONFLICT = """
INSERT INTO conflicts (gateway, epoch, lane, seq, received_ms, payload)
SELECT $1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::bytea
WHERE (SELECT count(*) FROM conflicts WHERE gateway = $1) < $7 AND NOT EXISTS
    (SELECT FROM conflicts WHERE gateway = $1 AND epoch = $2 AND lane = $3 AND seq = $4 AND payload = $6)
"""
_HELD = """
SELECT gateway, epoch, lane, first_seq, last_seq, samples, samples_before FROM coverage
JOIN unnest($1::text[], $2::text[], $3::text[]) AS asked (gateway, epoch, lane) USING (gateway, epoch, lane)
"""
_GONE = """
DELETE FROM coverage USING unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS old (gateway, epoch, lane, seq)
WHERE coverage.gateway = old.gateway AND coverage.epoch = old.epoch AND coverage.lane = old.lane AND first_seq = old.seq
"""
_CHANGED = """
WITH changed AS (
    INSERT INTO coverage
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
    ON CONFLICT (gateway, epoch, lane, first_seq)
    DO UPDATE SET last_seq = excluded.last_seq, samples = excluded.samples, samples_before = excluded.samples_before
)
SELECT pg_notify($8, '')
"""


class PostgresFrameLog:
    """See ``FrameLog``. Its tables are those of cloud_api/database/postgres.sql."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._grown = asyncio.Event()  # set, and replaced by a new one, when there may be new frames
        self._listener: asyncio.Task[None] | None = None

    async def append(self, frames: Sequence[IncomingFrame]) -> list[Outcome]:
        """See ``FrameLog.append``."""
        if not frames:
            return []
        rows = [(*_key(frame), frame.header.seq, frame.received_ms, frame.payload) for frame in frames]
        bounds = zip(*((*key, low, high) for key, (low, high) in _bounds(frames).items()), strict=True)
        async with self._database.transaction() as db:
            await db.execute(
                "SELECT pg_advisory_xact_lock($1)", APPEND_LOCK
            )  # by itself: what follows sees what is there
            found = await db.fetch(_INSERT, *zip(*rows, strict=True), *bounds)
            stored = {(StreamKey(*row[:3]), row[3]) for row in found if row[4] is None}
            outcomes = await self._outcomes(db, frames, stored)
            if stored:
                held = [row for row in found if row[4] is not None]
                await self._cover(db, [f for f, o in zip(frames, outcomes, strict=True) if o is Outcome.STORED], held)
        if stored:
            self._wake()
        return outcomes

    async def _outcomes(self, db: Connection, frames: Sequence[IncomingFrame], stored: set[Place]) -> list[Outcome]:
        """An outcome a frame. The first of a place that is new is stored; all others are held against what is there."""
        asked = {(_key(frame), frame.header.seq) for frame in frames} - stored
        there: dict[Place, bytes] = {}
        if asked:
            there = _payloads(await db.fetch(_KNOWN, *_columns(asked)))
        outcomes = []
        for frame in frames:
            place = _key(frame), frame.header.seq
            if place in stored and place not in there:
                there[place] = frame.payload
                outcomes.append(Outcome.STORED)
            elif there[place] == frame.payload:
                outcomes.append(Outcome.DUPLICATE)
            else:
                await db.execute(_CONFLICT, *place[0], place[1], frame.received_ms, frame.payload, CONFLICTS_KEPT)
                outcomes.append(Outcome.CONFLICT)
        return outcomes

    async def _cover(self, db: Connection, frames: Sequence[IncomingFrame], held: Sequence[Sequence[Any]]) -> None:
        """Bring the ranges up to date for these frames, which are new, and tell who waits. held: rows of the ranges."""
        ranges: dict[StreamKey, list[Range]] = {_key(frame): [] for frame in frames}
        for row in held:
            ranges.setdefault(StreamKey(*row[:3]), []).append(Range(*row[3:]))
        lanes = {key: Coverage(each) for key, each in ranges.items()}
        changes = CoverageChanges()
        for frame in frames:
            header = frame.header
            changes.add(_key(frame), lanes[_key(frame)], header.seq, header.samples, header.samples_before)
        if changes.gone:
            await db.execute(_GONE, *zip(*changes.gone, strict=True))
        await db.execute(_CHANGED, *zip(*changes.changed, strict=True), CHANNEL)

    async def read(self, after: int, limit: int) -> list[LoggedFrame]:
        """See ``FrameLog.read``."""
        rows = await self._database.fetch(
            "SELECT position, received_ms, payload FROM frames WHERE position > $1 ORDER BY position LIMIT $2",
            after, limit,
        )  # fmt: skip
        return [LoggedFrame(*row) for row in rows]

    async def find(self, places: Collection[Place]) -> dict[Place, bytes]:
        """See ``FrameLog.find``."""
        return _payloads(await self._database.fetch(_KNOWN, *_columns(places))) if places else {}

    async def wait(self, after: int) -> None:
        """See ``FrameLog.wait``."""
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="listen for frames")
        while True:
            grown = self._grown
            if await self.last_position() > after:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await grown.wait()

    async def _listen(self) -> None:
        """Hear of what other processes have committed. While the server is away, who waits looks for itself."""
        while True:
            lost = asyncio.Event()
            with suppress(DatabaseUnavailable):
                async with self._database.session() as connection:
                    connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                    await connection.add_listener(CHANNEL, lambda *_: self._wake())
                    await lost.wait()
            await asyncio.sleep(LOOK_S)

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    async def last_position(self) -> int:
        """See ``FrameLog.last_position``."""
        ((position,),) = await self._database.fetch("SELECT coalesce(max(position), 0) FROM frames")
        return int(position)

    async def coverage(self, keys: Collection[StreamKey]) -> dict[StreamKey, Coverage]:
        """See ``FrameLog.coverage``."""
        ranges: dict[StreamKey, list[Range]] = {key: [] for key in keys}
        for row in await self._database.fetch(_HELD, *zip(*ranges, strict=True)) if ranges else ():
            ranges[StreamKey(*row[:3])].append(Range(*row[3:]))
        return {key: Coverage(each) for key, each in ranges.items()}

    async def streams(self, gateway: str) -> list[tuple[StreamKey, Coverage]]:
        """See ``FrameLog.streams``."""
        ranges: dict[StreamKey, list[Range]] = {}
        for epoch, lane, *held in await self._database.fetch(
            "SELECT epoch, lane, first_seq, last_seq, samples, samples_before FROM coverage WHERE gateway = $1", gateway
        ):
            ranges.setdefault(StreamKey(gateway, epoch, lane), []).append(Range(*held))
        return [(key, Coverage(each)) for key, each in ranges.items()]

    async def conflicts(self, gateway: str, before: int | None = None, limit: int = CONFLICTS_KEPT) -> list[Conflict]:
        """See ``FrameLog.conflicts``."""
        rows = await self._database.fetch(
            "SELECT number, gateway, epoch, lane, seq, received_ms, payload FROM conflicts "
            "WHERE gateway = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
            gateway, before if before is not None else 2**63 - 1, limit,
        )  # fmt: skip
        return [Conflict(row[0], StreamKey(*row[1:4]), *row[4:]) for row in rows]

    async def count_conflicts(self, gateway: str) -> int:
        """See ``FrameLog.count_conflicts``."""
        ((count,),) = await self._database.fetch("SELECT count(*) FROM conflicts WHERE gateway = $1", gateway)
        return int(count)

    async def close(self) -> None:
        """Stop listening; the database is closed by who opened it."""
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener


def _bounds(frames: Sequence[IncomingFrame]) -> dict[StreamKey, tuple[int, int]]:
    """The lowest and the highest seq of each lane."""
    bounds: dict[StreamKey, tuple[int, int]] = {}
    for frame in frames:
        low, high = bounds.get(_key(frame), (frame.header.seq, frame.header.seq))
        bounds[_key(frame)] = (min(low, frame.header.seq), max(high, frame.header.seq))
    return bounds


def _columns(places: Collection[Place]) -> Iterator[tuple[object, ...]]:
    return zip(*((*key, seq) for key, seq in places), strict=True)


def _payloads(rows: Sequence[Sequence[Any]]) -> dict[Place, bytes]:
    return {(StreamKey(*row[:3]), row[3]): row[4] for row in rows}


def _key(frame: IncomingFrame) -> StreamKey:
    return StreamKey(frame.header.gateway, frame.header.epoch, frame.header.lane)
