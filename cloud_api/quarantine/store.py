"""The quarantine's file. A gateway's refusals come through the book, ingest's own directly."""

import hashlib
import sqlite3
from pathlib import Path
from typing import NamedTuple

from cloud_api.sqlite_thread import SqliteThread
from contracts.messages import Refused

KEPT = 100_000
HEAD_BYTES = 256
_SCHEMA = """
CREATE TABLE IF NOT EXISTS quarantine (
    number INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, gateway TEXT NOT NULL, origin TEXT NOT NULL,
    topic TEXT NOT NULL, profile TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, at_ms INTEGER NOT NULL,
    head BLOB NOT NULL, size_bytes INTEGER NOT NULL, count INTEGER NOT NULL, payload BLOB
);
CREATE INDEX IF NOT EXISTS quarantine_gateway ON quarantine (gateway, number);
"""


class Entry(NamedTuple):
    """One refusal. head: first bytes.

    origin  "device" (refused by the gateway), "frame" (refused by ingest) or "store" (refused by the telemetry store)
    """

    number: int
    gateway: str
    origin: str
    topic: str
    profile: str
    reason: str
    detail: str
    at_ms: int
    head: bytes
    size_bytes: int
    times: int  # further refusals of the same topic and reason are folded into one entry


class Quarantine:
    """Bounded: the oldest entries go when there are more than KEPT."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteThread(path, _SCHEMA, "FULL")

    async def device_refused(self, gateway: str, refused: Refused) -> None:
        """A gateway could not read a device's message. Idempotent."""
        await self._add(
            gateway, "device", refused.topic, refused.profile, refused.reason, refused.detail, refused.at_ms,
            refused.head, refused.size_bytes, refused.count, None,
        )  # fmt: skip

    async def frame_refused(
        self, gateway: str, topic: str, reason: str, detail: str, at_ms: int, payload: bytes
    ) -> None:
        """Ingest could not take a frame; its bytes are kept. The same bytes again change nothing."""
        await self._add(
            gateway, "frame", topic, "", reason, detail, at_ms, payload[:HEAD_BYTES], len(payload), 1, payload
        )

    async def store_refused(self, gateway: str, refused: Refused) -> None:
        """The telemetry store will never take these samples; the frame log has them. Idempotent."""
        await self._add(
            gateway, "store", refused.topic, refused.profile, refused.reason, refused.detail, refused.at_ms,
            refused.head, refused.size_bytes, refused.count, None,
        )  # fmt: skip

    async def _add(
        self, gateway: str, origin: str, topic: str, profile: str, reason: str, detail: str, at_ms: int, head: bytes,
        size_bytes: int, count: int, payload: bytes | None,
    ) -> None:  # fmt: skip
        # A frame that is sent again and again is one entry; a device's refusal is named by its time as well.
        name = repr((gateway, origin, topic, reason, at_ms if payload is None else 0, payload or head))
        identity = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()

        def insert(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO quarantine (identity, gateway, origin, topic, profile, reason, detail, at_ms, head, "
                "size_bytes, count, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (identity, gateway, origin, topic, profile, reason, detail, at_ms, head, size_bytes, count, payload),
            )
            db.execute("DELETE FROM quarantine WHERE number <= (SELECT max(number) FROM quarantine) - ?", (KEPT,))

        await self._file.write(insert)

    async def newest(self, gateway: str, before: int | None, limit: int) -> list[Entry]:
        """Newest first; of one gateway, or of all for ""."""
        return await self._file.read(
            lambda db: [
                Entry(*row)
                for row in db.execute(
                    "SELECT number, gateway, origin, topic, profile, reason, detail, at_ms, head, size_bytes, count "
                    "FROM quarantine WHERE (? = '' OR gateway = ?) AND number < ? ORDER BY number DESC LIMIT ?",
                    (gateway, gateway, before if before is not None else 2**63 - 1, limit),
                )
            ]
        )

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()
