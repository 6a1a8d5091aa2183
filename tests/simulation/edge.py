"""`edge-agent run` in the simulation, and a witness of everything that its outbox ever held."""

import functools
import random
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from edge_agent.profiles import ProfileSet
from edge_agent.program import Agent
from edge_agent.settings import Settings
from tests.simulation.cloud_broker import CloudBroker
from tests.simulation.local_broker import LocalBroker
from tests.simulation.machine import Machine
from tests.simulation.process import Process
from tests.simulation.world import World

GATEWAY = "gw-sim"
_WATCH = """
CREATE TEMP TRIGGER sim_framed AFTER INSERT ON main.frames
    WHEN new.epoch = (SELECT max(number) FROM epochs) BEGIN SELECT sim_framed(new.payload, new.unsure); END;
CREATE TEMP TRIGGER sim_healed AFTER UPDATE OF payload ON main.frames BEGIN SELECT sim_healed(new.payload); END;
CREATE TEMP TRIGGER sim_settled AFTER UPDATE OF unsure ON main.frames
    WHEN old.unsure > 0 AND new.unsure = 0 AND new.payload = old.payload BEGIN SELECT sim_settled(new.payload); END;
CREATE TEMP TRIGGER sim_gone BEFORE DELETE ON main.frames BEGIN SELECT sim_gone(old.payload); END;
"""


class Framed(NamedTuple):
    """A frame that was written, also if the transaction never ended. at_ms: the true time; boot: of its machine."""

    payload: bytes
    at_ms: int
    boot: int
    unsure: int


class Witness:
    """What went into the outbox and what was deleted from it, whatever becomes of the file."""

    def __init__(self) -> None:
        self.framed: list[Framed] = []
        self.gone: list[bytes] = []
        self.healed: list[bytes] = []
        self.sent_unsure: set[bytes] = set()
        self.unsure_boots: set[int] = set()


class Edge(Machine):
    """`edge-agent run`."""

    def __init__(
        self, world: World, name: str, folder: Path, profiles: ProfileSet, local: LocalBroker, cloud: CloudBroker,
        **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(world, name, folder)
        self.agent: Agent
        self.witness = Witness()
        self.armed = ""
        """The crash point at which it dies."""
        self.wall_wrong_ms = 0
        """By how much the machine's clock is wrong."""
        self.boot = 1
        self._boot_s = world.now_s
        self.local = local
        self._profiles = profiles
        self._cloud = cloud
        self._settings = settings

    def begin(self, process: Process) -> None:
        settings = Settings(
            gateway_id=GATEWAY, data_dir=str(self.disk.folder), reconnect_s_max=0.5, heartbeat_s=0.5,
            resend_after_ms=1_000, disk_free_bytes_min=0, **self._settings,
        )  # fmt: skip
        chance = self.world.chance
        boot_s = self._boot_s
        self.agent = Agent(
            settings,
            self._profiles,
            lambda: self.world.now_ms() + self.wall_wrong_ms,
            lambda: int((self.world.now_s - boot_s) * 1000),
            lambda: random.Random(chance.random()),
            self._cloud.client,  # type: ignore[arg-type]
            f"boot-{self.boot}",
            self.place(lambda: self.armed),
        )
        self.agent.instance = self.name  # not the inode of a folder that is made anew for each run
        process.loop.connect = functools.partial(self.local.connect, process.loop)
        self.task = process.start(self.agent.run(health=False))
        self.armed = ""

    def power_lost(self) -> None:
        if not self.agent.clock.sure:
            self.witness.unsure_boots.add(self.boot)
        self.boot += 1
        self._boot_s = self.world.now_s

    def databases(self) -> dict[str, sqlite3.Connection]:
        return {"outbox.sqlite": self.agent.outbox._db.connection}

    def opened(self, db: sqlite3.Connection) -> None:
        """The agent has opened its outbox: watch it."""
        witness, now_ms, boot = self.witness, self.world.now_ms, self.boot
        db.create_function(
            "sim_framed", 2, lambda payload, unsure: witness.framed.append(Framed(payload, now_ms(), boot, unsure))
        )
        db.create_function("sim_healed", 1, witness.healed.append)
        db.create_function("sim_settled", 1, self._settled)
        db.create_function("sim_gone", 1, witness.gone.append)
        db.executescript(_WATCH)
        self.watch_start(db)

    def _settled(self, payload: bytes) -> None:
        """A frame's times are left as they are: because they are right, or because nobody could say what is right."""
        if not self.agent.clock.sure:
            self.witness.sent_unsure.add(payload)

    def quiet(self) -> bool:
        """Nothing is pending, and the cloud has answered and acknowledged everything."""
        outbox = self.agent.outbox
        answered = self.agent.uplink.frames.is_sending  # before, it may not know yet that its outbox is an older one
        return (
            answered
            and self.agent.writer.pending.empty
            and all(
                lane.oldest_unacked_seq > lane.last_seq and lane.buffered == 0
                for lane in (*outbox.lanes.values(), *outbox.ended)
            )
        )
