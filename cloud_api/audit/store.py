"""Where the audit is kept: a table that is only ever added to, and the checkpoints over it."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from cloud_api.audit.checkpoints import Checkpoint, checkpoint_line, read_checkpoint
from cloud_api.audit.entries import Draft, Entry, Head, extended
from cloud_api.database import Ask, Database, PostgresDatabase, SqliteDatabase, Statement

SCHEMA = """
CREATE TABLE IF NOT EXISTS audit (
    seq BIGINT PRIMARY KEY, at_ms BIGINT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL,
    community TEXT NOT NULL, outcome TEXT NOT NULL, details TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS audit_actor ON audit (actor, seq);
CREATE INDEX IF NOT EXISTS audit_community ON audit (community, seq);
CREATE TABLE IF NOT EXISTS audit_checkpoint (seq BIGINT PRIMARY KEY, line TEXT NOT NULL);
"""
APPEND_LOCK = 0x4C4E4C05
PAGE = 1_000

_COLUMNS = ", ".join(Entry._fields)
_INSERT = f"INSERT INTO audit ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_LAST = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"


class Where(NamedTuple):
    """Which entries are asked for; "" is all. Times: start_ms <= at_ms < end_ms."""

    actor: str = ""
    action: str = ""
    community: str = ""
    outcome: str = ""
    start_ms: int = 0
    end_ms: int = 2**62


class AuditStore(ABC):
    """In a database that has the tables of SCHEMA. Several processes may append to one chain."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @abstractmethod
    async def append(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Add these to the chain, in one transaction, on disk when this returns. Raises DatabaseUnavailable."""

    async def head(self) -> Head:
        """The end of the chain."""
        rows = await self._database.fetch(_LAST)
        return Head(*rows[0]) if rows else Head()

    async def newest(self, where: Where, before: int | None, limit: int) -> list[Entry]:
        """Newest first, of those before this number."""
        rows = await self._database.fetch(
            f"SELECT {_COLUMNS} FROM audit WHERE seq < $1 AND ($2 = '' OR actor = $2) AND ($3 = '' OR action = $3) "
            "AND ($4 = '' OR community = $4) AND ($5 = '' OR outcome = $5) AND at_ms >= $6 AND at_ms < $7 "
            "ORDER BY seq DESC LIMIT $8",
            before if before is not None else 2**62, *where, limit,
        )  # fmt: skip
        return [Entry(*row) for row in rows]

    async def all_up_to(self, last: int) -> AsyncIterator[Entry]:
        """From the first on, in the order of their numbers."""
        after = 0
        while rows := await self._database.fetch(
            f"SELECT {_COLUMNS} FROM audit WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3", after, last, PAGE
        ):
            for row in rows:
                yield Entry(*row)
            after = int(rows[-1][0])

    async def forget(self, before_ms: int) -> int:
        """Remove the oldest entries up to the first checkpoint over them, if that was made before. Returns how many.

        The checkpoint stays: the chain begins after it. At least one entry stays too: the next one follows it.
        """
        ((first, last),) = await self._database.fetch("SELECT min(seq), max(seq) FROM audit")
        rows = first is not None and await self._database.fetch(
            "SELECT line FROM audit_checkpoint WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT 1", first, last
        )
        if not rows or (begin := read_checkpoint(rows[0][0].encode())).at_ms >= before_ms:
            return 0
        await self._database.execute(
            Statement("DELETE FROM audit WHERE seq <= $1", (begin.checkpoint,)),
            Statement("DELETE FROM audit_checkpoint WHERE seq < $1", (begin.checkpoint,)),
        )
        return begin.checkpoint - int(first) + 1

    async def checkpoint_over(self, seq: int) -> Checkpoint | None:
        """The one over this entry, if there is one."""
        rows = await self._database.fetch("SELECT line FROM audit_checkpoint WHERE seq = $1", seq)
        return read_checkpoint(rows[0][0].encode()) if rows else None

    async def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep it, unless there is one over the same entry."""
        line = checkpoint_line(checkpoint).decode()
        sql = "INSERT INTO audit_checkpoint (seq, line) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        await self._database.execute(Statement(sql, (checkpoint.checkpoint, line)))

    async def checkpoints(self, before: int | None, limit: int) -> list[Checkpoint]:
        """Newest first, of those over entries before this number."""
        rows = await self._database.fetch(
            "SELECT line FROM audit_checkpoint WHERE seq < $1 ORDER BY seq DESC LIMIT $2",
            before if before is not None else 2**62, limit,
        )  # fmt: skip
        return [read_checkpoint(row[0].encode()) for row in rows]


class FileAuditStore(AuditStore):
    """In a SQLite file: whoever appends has it alone."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(database)
        self._file = database

    async def append(self, drafts: Sequence[Draft]) -> list[Entry]:
        """See ``AuditStore.append``."""

        def work(ask: Ask) -> list[Entry]:
            rows = ask(_LAST)
            entries = extended(Head(*rows[0]) if rows else Head(), drafts)
            for entry in entries:
                ask(_INSERT, *entry)
            return entries

        return await self._file.transaction(work)


class SharedAuditStore(AuditStore):
    """In PostgreSQL: whoever appends holds a lock until it can be seen."""

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database)
        self._server = database

    async def append(self, drafts: Sequence[Draft]) -> list[Entry]:
        """See ``AuditStore.append``."""
        async with self._server.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", APPEND_LOCK)
            row = await connection.fetchrow(_LAST)
            entries = extended(Head(*row) if row else Head(), drafts)
            await connection.executemany(_INSERT, entries)
        return entries
