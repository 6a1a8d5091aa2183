"""What is kept of the quarantine. A gateway's refusals come through the book, ingest's own directly."""

import hashlib
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from cloud_api.database import Database, Statement
from contracts.messages import Record, Refused

KEPT = 100_000
HEAD_BYTES = 256
TEXT_MAX = 1_000
"""Characters that are kept of a topic, a reason or a detail."""
RECORD_BYTES_MAX = 65_536
TEN_YEARS_MS = 10 * 365 * 86_400_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS quarantine (
    number INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, gateway TEXT NOT NULL, origin TEXT NOT NULL,
    topic TEXT NOT NULL, profile TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, at_ms INTEGER NOT NULL,
    head BLOB NOT NULL, size_bytes INTEGER NOT NULL, count INTEGER NOT NULL, payload BLOB
);
CREATE INDEX IF NOT EXISTS quarantine_gateway ON quarantine (gateway, number);
"""


class Entry(NamedTuple):
    """One refusal. head: first bytes.

    origin  "device" (refused by the gateway), "frame" (refused by ingest), "store" (refused by the telemetry store) or
            "record" (what a gateway says of itself or a device, refused by the book)
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
    """In a database that has the tables of SCHEMA. Bounded: the oldest entries go when there are more than KEPT."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def device_refused(self, gateway: str, refused: Refused) -> None:
        """A gateway could not read a device's message. Idempotent."""
        await self._add(
            gateway, "device", refused.topic, refused.profile, refused.reason, refused.detail, refused.at_ms,
            refused.head, refused.size_bytes, refused.count, None,
        )  # fmt: skip

    async def holds(self, gateway: str, refused: Refused) -> bool:
        """Has ``device_refused`` kept this before?"""
        identity = _identity(gateway, "device", refused.topic, refused.reason, refused.at_ms, refused.head)
        return bool(await self._database.fetch("SELECT 1 FROM quarantine WHERE identity = $1", identity))

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

    async def record_refused(self, gateway: str, record: Record, reason: str, detail: str, received_ms: int) -> None:
        """The book can't keep a record; the frame log has it. Idempotent."""
        payload = msgspec.msgpack.encode(record)
        kind = str(type(record).__struct_config__.tag)
        await self._add(
            gateway, "record", kind, "", reason, detail, received_ms, payload[:HEAD_BYTES], len(payload), 1,
            payload[:RECORD_BYTES_MAX],
        )  # fmt: skip

    async def _add(
        self, gateway: str, origin: str, topic: str, profile: str, reason: str, detail: str, at_ms: int, head: bytes,
        size_bytes: int, count: int, payload: bytes | None,
    ) -> None:  # fmt: skip
        # A frame that is sent again and again is one entry; a device's refusal is named by its time as well.
        identity = _identity(gateway, origin, topic, reason, at_ms if payload is None else 0, payload or head)
        topic, profile, reason, detail = (
            text[:TEXT_MAX].replace("\0", "\ufffd") for text in (topic, profile, reason, detail)
        )
        head = head[:HEAD_BYTES]
        await self._database.execute(
            Statement(
                "INSERT INTO quarantine (identity, gateway, origin, topic, profile, reason, detail, at_ms, head, "
                "size_bytes, count, payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
                "ON CONFLICT DO NOTHING",
                (identity, gateway, origin, topic, profile, reason, detail, at_ms, head, size_bytes, count, payload),
            ),
            Statement("DELETE FROM quarantine WHERE number <= (SELECT max(number) FROM quarantine) - $1", (KEPT,)),
        )

    async def forget(self, before_ms: int, limit: int) -> int:
        """Remove entries that are older, so many at most. Returns how many.

        What seems to be older by ten years more was said by a clock that nobody had set, and is kept as the newest are.
        """
        rows = await self._database.fetch(
            "SELECT number FROM quarantine WHERE at_ms < $1 AND at_ms > $2 ORDER BY number LIMIT $3",
            before_ms, before_ms - TEN_YEARS_MS, limit,
        )  # fmt: skip
        await self._database.execute(*(Statement("DELETE FROM quarantine WHERE number = $1", row) for row in rows))
        return len(rows)

    async def newest(self, gateways: Collection[str] | None, before: int | None, limit: int) -> list[Entry]:
        """Newest first; of these gateways, None: of all."""
        if gateways is not None and not gateways:
            return []
        places = ", ".join(f"${number}" for number in range(3, 3 + len(gateways or ())))
        rows = await self._database.fetch(
            "SELECT number, gateway, origin, topic, profile, reason, detail, at_ms, head, size_bytes, count "
            f"FROM quarantine WHERE number < $1 {f'AND gateway IN ({places})' if places else ''} "
            "ORDER BY number DESC LIMIT $2",
            before if before is not None else 2**63 - 1, limit, *(gateways or ()),
        )  # fmt: skip
        return [Entry(*row) for row in rows]


def _identity(gateway: str, origin: str, topic: str, reason: str, at_ms: int, payload: bytes) -> str:
    name = repr((gateway, origin, topic, reason, at_ms, payload))
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
