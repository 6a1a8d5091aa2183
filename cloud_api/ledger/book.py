"""Keeps declared drops, and adds up a gateway's ledger from the frame log, the drops and the gateway's own word."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from cloud_api.framelog import FrameLog
from cloud_api.framelog.coverage import StreamKey
from cloud_api.sqlite_thread import SqliteThread
from contracts.frame import FrameHeader
from contracts.ledger import Drop, Held, LaneLedger, lane_ledger
from contracts.messages import Dropped, GatewayState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS drops (
    gateway TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    samples INTEGER NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (gateway, epoch, lane, first_seq, last_seq)
) WITHOUT ROWID;
"""


class LaneEntry(NamedTuple):
    """One lane of one epoch."""

    epoch: str
    lane: str
    ledger: LaneLedger
    drops: tuple[Drop, ...]


class GatewayLedger(NamedTuple):
    """All lanes of a gateway."""

    gateway: str
    lanes: tuple[LaneEntry, ...]


class LedgerBook:
    """The drops' file."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteThread(path, _SCHEMA, "FULL")

    async def dropped(self, gateway: str, record: Dropped) -> None:
        """A gateway declares a drop. Idempotent."""
        await self._keep(
            gateway,
            record.epoch,
            record.lane,
            record.first_seq,
            record.last_seq,
            record.samples,
            record.reason,
            record.at_ms,
        )

    async def quarantined(self, header: FrameHeader, at_ms: int) -> None:
        """Ingest has put a frame into quarantine: its samples will never be stored. Idempotent."""
        await self._keep(
            header.gateway, header.epoch, header.lane, header.seq, header.seq, header.samples, "quarantined", at_ms
        )

    async def _keep(self, *row: str | int) -> None:
        await self._file.write(
            lambda db: db.execute("INSERT OR IGNORE INTO drops VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        )

    async def drops(self, gateway: str) -> dict[StreamKey, list[Drop]]:
        """Every declared drop of a gateway, by lane."""

        def find(db: sqlite3.Connection) -> dict[StreamKey, list[Drop]]:
            found: dict[StreamKey, list[Drop]] = {}
            for epoch, lane, *drop in db.execute(
                "SELECT epoch, lane, first_seq, last_seq, samples, reason FROM drops WHERE gateway = ? "
                "ORDER BY epoch, lane, first_seq",
                (gateway,),
            ):
                found.setdefault(StreamKey(gateway, epoch, lane), []).append(Drop(*drop))
            return found

        return await self._file.read(find)

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()


async def gateway_ledger(
    gateway: str, framelog: FrameLog, book: LedgerBook, state: GatewayState | None
) -> GatewayLedger:
    """Add up everything that is known of a gateway.

    ``state`` is read before the frame log is, so what the gateway says it acked is there.
    """
    drops = await book.drops(gateway)
    reported = {StreamKey(gateway, lane.epoch, lane.lane): lane for lane in (state.lanes if state else [])}
    streams = dict(await framelog.streams(gateway))
    entries = []
    for key in sorted({*streams, *drops, *reported}):
        held = [Held(*each) for each in streams[key].ranges] if key in streams else []
        ledger = lane_ledger(held, drops.get(key, []), reported.get(key))
        entries.append(LaneEntry(key.epoch, key.lane, ledger, tuple(drops.get(key, []))))
    return GatewayLedger(gateway, tuple(entries))
