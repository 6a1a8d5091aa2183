"""`cloud-api ingest` in the simulation, with the frame log and what its ledger and its live state need."""

import random
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cloud_api import ledger, quarantine
from cloud_api.database import SqliteDatabase
from cloud_api.framelog import SqliteFrameLog
from cloud_api.ingest import BrokerAddress, GatewayPresence, Ingest
from cloud_api.ledger import LedgerBook
from cloud_api.ledger.book import GatewayLedger, gateway_ledger
from cloud_api.live.hub import Hub, Source
from cloud_api.live.latest import LiveValue
from cloud_api.live.state import LiveState
from cloud_api.projections import Book, Progress, book, run_projection
from cloud_api.quarantine import Quarantine
from contracts.messages import Dropped, Refused
from tests.simulation.cloud_broker import CloudBroker
from tests.simulation.edge import GATEWAY
from tests.simulation.machine import Machine
from tests.simulation.process import Process, Work
from tests.simulation.world import World


class WatchedHub(Hub):
    """Sees what watchers of the live stream are told: it must never go back in event time."""

    def __init__(self, world: World) -> None:
        super().__init__("sim")
        self._world = world
        self._told: dict[tuple[Source, str], int] = {}

    def publish(
        self, kind: str, data: Mapping[str, Any], source: Source | None = None,
        metrics: Mapping[str, LiveValue] | None = None,
    ) -> None:  # fmt: skip
        assert source is not None and metrics is not None
        for name, value in metrics.items():
            if value.observed_ms < self._told.get((source, name), 0):
                self._world.errors.append(f"live went back: {source} {name} {value}")
            self._told[source, name] = value.observed_ms
        super().publish(kind, data, source, metrics)


class Cloud(Machine):
    """Ingest, frame log, quarantine, drops, live state, and the projections between them."""

    def __init__(self, world: World, folder: Path, broker: CloudBroker) -> None:
        super().__init__(world, "cloud", folder)
        self._broker = broker
        self.ledgers = 0
        self.duplicates = 0

    def begin(self, process: Process) -> None:
        world, folder = self.world, self.disk.folder
        self.framelog = SqliteFrameLog(folder / "framelog.sqlite")
        self.records = {
            "quarantine": SqliteDatabase(folder / "quarantine.sqlite", quarantine.SCHEMA),
            "ledger": SqliteDatabase(folder / "ledger.sqlite", ledger.SCHEMA),
            "book": SqliteDatabase(folder / "book.sqlite", book.SCHEMA, "NORMAL"),
        }
        self.quarantine = Quarantine(self.records["quarantine"])
        self.drops = LedgerBook(self.records["ledger"])
        handlers = {Dropped: self.drops.dropped, Refused: self.quarantine.device_refused}
        self.book = Book(self.records["book"], handlers, self._refuse)
        self.live = LiveState(folder / "live.sqlite", WatchedHub(world))
        self.presence = GatewayPresence(world.now_ms, lambda gateway, online, at_ms: None)
        self.ingest = Ingest(
            BrokerAddress("cloud-broker", 1883), self.framelog, self.quarantine, self.drops, self.presence,
            world.now_ms, random.Random(world.chance.random()), self._broker.client,  # type: ignore[arg-type]
        )  # fmt: skip
        self.progress = Progress(("book", "live"))
        self.task = process.start(self.ingest.run())
        process.start(run_projection(self.book, self.framelog, self.progress))
        process.start(self._follow_live())

    async def _refuse(self, gateway: str, record: object, reason: str, detail: str, received_ms: int) -> None:
        self.world.errors.append(f"the book can't keep {record}: {reason} {detail}")

    async def _follow_live(self) -> None:
        await self.live.load()
        await run_projection(self.live, self.framelog, self.progress)

    def databases(self) -> dict[str, sqlite3.Connection]:
        databases = {name: database._file._db for name, database in self.records.items()}
        databases |= {"framelog": self.framelog._file._db, "live": self.live._file._db}
        return {f"{name}.sqlite": database for name, database in databases.items()}

    def close_files(self) -> None:
        self.duplicates += self.ingest.counts.duplicates
        super().close_files()

    def die_before_ack(self) -> None:
        """Between the commit of a frame and its acknowledgement."""
        assert self.process is not None

        def work(job: Work) -> None:
            frames = self.framelog._file._db.total_changes
            job(None)
            if self.framelog._file._db.total_changes > frames:
                self.die("killed between commit and ack")

        self.process.at_work = work

    def settled(self) -> bool:
        """The projections have read the whole log."""
        (last,) = self.framelog._file._db.execute("SELECT coalesce(max(position), 0) FROM frames").fetchone()
        return all(place.position == last for place in self.progress.places.values())

    def frames(self) -> list[bytes]:
        """All that is in the frame log."""
        rows = self.framelog._file._db.execute("SELECT payload FROM frames WHERE gateway = ?", (GATEWAY,))
        return [row[0] for row in rows]

    def ask_ledger(self, tell: Callable[[GatewayLedger], None]) -> None:
        """Add up the ledger as the API's route does, while everything goes on; nothing is told if it dies meanwhile."""
        if not self.alive:
            return
        assert self.process is not None

        async def ask() -> None:
            try:
                found = await gateway_ledger(GATEWAY, self.framelog, self.drops, self.presence.state(GATEWAY))
            except OSError:
                return  # the disk fails
            self.ledgers += 1
            tell(found)

        with self.process.inside():
            self.process.start(ask())
