"""Keeps declared drops, and adds up a gateway's ledger from the frame log, the drops and the gateway's own word."""

from typing import NamedTuple

from cloud_api.database import Database, Statement
from cloud_api.framelog import FrameLog
from cloud_api.framelog.coverage import StreamKey
from contracts.frame import FrameHeader
from contracts.ledger import Drop, Held, LaneLedger, lane_ledger
from contracts.messages import Dropped, GatewayState

SCHEMA = """
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
    """The declared drops, in a database that has the tables of SCHEMA."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        await self._database.execute(
            Statement("INSERT INTO drops VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING", row)
        )

    async def drops(self, *gateways: str) -> dict[StreamKey, list[Drop]]:
        """Every declared drop of these gateways, by lane."""
        found: dict[StreamKey, list[Drop]] = {}
        places = ", ".join(f"${number}" for number in range(1, len(gateways) + 1))
        for gateway, epoch, lane, *drop in await self._database.fetch(
            "SELECT gateway, epoch, lane, first_seq, last_seq, samples, reason FROM drops "
            f"WHERE gateway IN ({places}) ORDER BY gateway, epoch, lane, first_seq",
            *gateways,
        ):
            found.setdefault(StreamKey(gateway, epoch, lane), []).append(Drop(*drop))
        return found


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
