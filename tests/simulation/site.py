"""The programs under test in the simulation: one gateway's agent, and the cloud's ingest with frame log and book."""

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloud_api.framelog import SqliteFrameLog
from cloud_api.ingest import BrokerAddress, GatewayPresence, Ingest
from cloud_api.ledger import LedgerBook
from cloud_api.ledger.book import GatewayLedger, gateway_ledger
from cloud_api.projections import Book, Progress, run_projection
from cloud_api.quarantine import Quarantine
from contracts.messages import Dropped, Refused
from edge_agent.profiles import ProfileSet
from edge_agent.program import Agent
from edge_agent.settings import Settings
from tests.simulation.cloud_broker import CloudBroker
from tests.simulation.disk import Disk, torn
from tests.simulation.local_broker import LocalBroker
from tests.simulation.world import Process, World

GATEWAY = "gw-sim"


class Machine:
    """A program, its disk, and the ways it can die."""

    name = ""

    def __init__(self, world: World, root: Path) -> None:
        self.world = world
        self.disk = Disk(root)
        self.process: Process | None = None

    @property
    def alive(self) -> bool:
        """Does it run?"""
        return self.process is not None and self.process.alive

    def start(self) -> None:
        """Start the program on what its disk holds."""
        assert not self.alive
        self.process = Process(self.world, self.name)
        with self.process.inside():
            self.begin(self.process)
        self.world.note(f"{self.name} starts")

    def begin(self, process: Process) -> None:
        """Put the program's parts together and start its tasks."""
        raise NotImplementedError

    def close_files(self) -> None:
        """Let go of the files of a dead program."""
        raise NotImplementedError

    def _dead(self, files: dict[str, bytes] | None, how: str) -> None:
        assert self.process is not None
        self.world.fault(f"{self.name} killed {how}")
        self.process.kill()
        self.disk.crash(files)
        self.close_files()

    def kill(self) -> None:
        """Now."""
        self._dead(None, "now")

    def kill_at_step(self, steps: int) -> None:
        """Before the n-th next step of its code."""
        assert self.process is not None
        self.process.die_at_step(steps, lambda: self._dead(None, "between two steps"))

    def kill_at_work(self, pieces: int, when: str) -> None:
        """With the n-th next piece of work on its disk. when: before, after or torn."""
        assert self.process is not None

        def die(job: Callable[[], None]) -> None:
            before = self.disk.files()
            if when == "before":
                self._dead(before, "before a write")
                return
            job()
            after = self.disk.files()
            changed = before != after
            left = after if when == "after" else torn(before, after, self.world.chance)
            self._dead(left, f"{'after' if when == 'after' else 'within'} a {'write' if changed else 'read'}")

        self.process.die_at_work(pieces, die)


class Edge(Machine):
    """`edge-agent run`."""

    name = "edge"

    def __init__(
        self, world: World, root: Path, profiles: ProfileSet, local: LocalBroker, cloud: CloudBroker, **settings: Any
    ) -> None:
        super().__init__(world, root)
        self.agent: Agent
        self.dropped: list[bytes] = []  # payloads that the outbox gave up by its policy, unacknowledged
        self._profiles = profiles
        self._local = local
        self._cloud = cloud
        self._settings = settings

    def begin(self, process: Process) -> None:
        settings = Settings(
            gateway_id=GATEWAY, data_dir=str(self.disk.folder), reconnect_s_max=0.5, heartbeat_s=0.5,
            resend_after_ms=1_000, **self._settings,
        )  # fmt: skip
        chance = self.world.chance
        self.agent = Agent(
            settings,
            self._profiles,
            self.world.now_ms,
            lambda: int(self.world.now_s * 1000),
            lambda: random.Random(chance.random()),
            self._cloud.client,  # type: ignore[arg-type]
        )
        process.loop.connect = functools.partial(self._local.connect, process.loop)
        self._watch_drops()
        self.task = process.start(self.agent.run(health=False))

    def _watch_drops(self) -> None:
        """See every unacknowledged frame that is deleted."""
        db = self.agent.outbox._db
        db.create_function("sim_dropped", 1, lambda payload: self.dropped.append(payload))
        db.execute(
            "CREATE TEMP TRIGGER sim_drops BEFORE DELETE ON main.frames WHEN old.acked = 0 "
            "BEGIN SELECT sim_dropped(old.payload); END"
        )

    def close_files(self) -> None:
        self.agent.outbox.close()

    def quiet(self) -> bool:
        """Nothing is pending, and the cloud has acknowledged everything."""
        lanes = self.agent.outbox.lanes.values()
        return self.agent.writer.pending.empty and all(
            lane.oldest_unacked_seq > lane.last_seq and lane.buffered == 0 for lane in lanes
        )


class Cloud(Machine):
    """`cloud-api ingest` with what its ledger needs: frame log, quarantine, drops and the projection that reads them."""

    name = "cloud"

    def __init__(self, world: World, root: Path, broker: CloudBroker) -> None:
        super().__init__(world, root)
        self._broker = broker
        self.ledgers = 0

    def begin(self, process: Process) -> None:
        world, folder = self.world, self.disk.folder
        self.framelog = SqliteFrameLog(folder / "framelog.sqlite")
        self.quarantine = Quarantine(folder / "quarantine.sqlite")
        self.drops = LedgerBook(folder / "ledger.sqlite")
        self.book = Book(folder / "book.sqlite", {Dropped: self.drops.dropped, Refused: self.quarantine.device_refused})
        self.presence = GatewayPresence(world.now_ms, lambda gateway, online, at_ms: None)
        self.ingest = Ingest(
            BrokerAddress("cloud-broker", 1883), self.framelog, self.quarantine, self.drops, self.presence,
            world.now_ms, random.Random(world.chance.random()), self._broker.client,  # type: ignore[arg-type]
        )  # fmt: skip
        self.progress = Progress(("book",))
        process.start(self.ingest.run())
        process.start(run_projection(self.book, self.framelog, self.progress))

    def close_files(self) -> None:
        for part in (self.framelog, self.quarantine, self.drops, self.book):
            part._file._db.close()

    async def _ledger(self) -> GatewayLedger:
        # The order of the API's route: the gateway's word first, then what the log holds.
        return await gateway_ledger(GATEWAY, self.framelog, self.drops, self.presence.state(GATEWAY))

    def ask_ledger(self, tell: Callable[[GatewayLedger], None]) -> None:
        """Add up the ledger as the API's route does, while everything goes on; nothing is told if it dies meanwhile."""
        if not self.alive:
            return
        assert self.process is not None

        async def ask() -> None:
            found = await self._ledger()
            self.ledgers += 1
            tell(found)

        with self.process.inside():
            self.process.start(ask())
