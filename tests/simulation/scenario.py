"""One run from a seed: load, faults at random moments, then peace; and what must hold in between and at the end."""

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import edge_agent.outbox.database
from cloud_api.ledger.book import GatewayLedger
from edge_agent.outbox.file import open_file
from edge_agent.profiles import ProfileSet
from tests.simulation.checks import Checks
from tests.simulation.cloud import Cloud
from tests.simulation.cloud_broker import CloudBroker, Weather
from tests.simulation.edge import Edge
from tests.simulation.faults import Disasters, Faults
from tests.simulation.local_broker import LocalBroker
from tests.simulation.world import World

PEACE_S = 300.0
"""Simulated seconds in which everything must be where it belongs once the faults are over."""
CONSTANT = '{"samples":{"temperature":21.5}}'
"""A device that says the same again and again: only packet ids tell its messages apart."""


class Summary(NamedTuple):
    """What a run did."""

    seed: int
    messages: int
    samples: int
    dropped: int
    counts: Counter[str]
    faults: Counter[str]
    events: int
    fingerprint: str


class Failure(AssertionError):
    """A run that broke a promise; the message says how to run it again. ``trace``: what happened before."""

    def __init__(self, message: str, trace: str) -> None:
        super().__init__(message)
        self.trace = trace


class Scenario:
    """A gateway, the cloud and everything between them."""

    def __init__(self, world: World, folder: Path, profiles: ProfileSet) -> None:
        self.world = world
        self.folder = folder
        self.profiles = profiles
        chance = self.chance = world.chance
        self.settings = {
            # A third of the gateways has so little room that an outage makes them give up frames.
            "outbox_bytes_max": chance.choice([1 << 30, 1 << 30, 30_000]),
            "outbox_age_ms_max": chance.choice([0, 0, 0, 4_000]),
            "commit_linger_ms": chance.choice([0, 5, 25]),
            "window_frames_max": chance.choice([1, 4, 64]),
            "intake_messages_max": chance.choice([5, 1_500]),
        }
        self.local = self.new_local_broker()
        self.broker = CloudBroker(world)
        self.edge = Edge(world, "edge", folder / "edge", profiles, self.local, self.broker, **self.settings)
        self.cloud = Cloud(world, folder / "cloud", self.broker)
        self.twin: Edge | None = None
        self.twin_sent: set[int] = set()
        self.sent: dict[int, str] = {}  # mark -> device
        self.load_per_s = 0.0
        self.checks = Checks(self)
        self._mark = 0

    def new_local_broker(self) -> LocalBroker:
        """As Mosquitto or as NATS delivers again."""
        return LocalBroker(self.world, resends_at_once=self.chance.random() < 0.5)

    @property
    def edges(self) -> list[Edge]:
        """The gateway, and its twin while there is one."""
        return [self.edge] if self.twin is None else [self.edge, self.twin]

    # --- load ---

    def _publish_forever(self) -> None:
        if self.load_per_s:
            for _ in range(self.chance.choice([1, 1, 1, 5])):
                self._publish(self.edge)
            if self.twin is not None and self.twin.alive:
                self._publish(self.twin)
        self.world.after(self.chance.expovariate(max(self.load_per_s, 1.0)), self._publish_forever)

    def _publish(self, edge: Edge) -> None:
        twin = edge is not self.edge
        device = self.chance.choice(["d1", "d2", "d1" if twin else "same"])
        payload = CONSTANT if device == "same" else json.dumps({"samples": {"message_count": self._mark}})
        if edge.local.accept(self._mark, f"linli-device/reading/{device}", payload.encode()):
            if twin:
                self.twin_sent.add(self._mark)
            else:
                self.sent[self._mark] = device
        self._mark += 1

    # --- the run ---

    def run(self, count: int) -> Summary:
        """Make so many faults. Raises AssertionError when a promise is broken."""
        world, faults = self.world, Faults(self)
        disasters = Disasters(self).plan(count) if self.chance.random() < 0.4 else {}
        self.cloud.start()
        self.edge.start()
        world.run_until(lambda: self.local.has_session, "the agent's session", 30)
        self._publish_forever()
        for number in range(count):
            self.load_per_s = self.chance.choice([0.0, 3.0, 10.0, 40.0])
            world.run_for(self.chance.expovariate(4))
            self._revive()
            disasters.get(number, faults.make_one)()
            if not disasters:
                self.cloud.ask_ledger(self.checks.on_the_way)
            self.checks.errors()
        self._peace()
        told: list[GatewayLedger] = []
        self.cloud.ask_ledger(told.append)
        world.run_until(lambda: told, "the ledger", 10)
        self.checks.errors()
        self.checks.at_the_end(told[0])
        lanes = [entry.ledger for entry in told[0].lanes]
        return Summary(
            seed=world.seed,
            messages=len(self.sent) + len(self.twin_sent),
            samples=sum(lane.produced for lane in lanes),
            dropped=sum(lane.declared_dropped for lane in lanes),
            counts=self.checks.counts(),
            faults=world.faults + self.broker.mishaps,
            events=world.events,
            fingerprint=world.fingerprint,
        )

    def _revive(self) -> None:
        """Start what has died by a crash point that it came to only now."""
        for machine in (self.edge, self.cloud):
            while not machine.alive:
                machine.start()

    def _peace(self) -> None:
        """No more faults, no more load: everything gets where it belongs."""
        self.world.note("peace")
        self.load_per_s = 0.0
        self.broker.weather = Weather()
        self.edge.armed = ""
        self._revive()
        for machine in (self.edge, self.cloud):
            assert machine.process is not None
            machine.process.at_work = None
        if self.twin is not None and self.twin.alive:
            self.twin.die("twin switched off")
        for _ in range(2):
            self.world.run_until(
                lambda: self.local.has_session and self.local.quiet and self.edge.quiet() and self.cloud.settled(),
                "the outbox to be empty",
                PEACE_S,
            )
            self.world.run_for(4.0)  # the gateway asks once more: the cloud may lack something, old acks may have come
            self.checks.errors()


@contextmanager
def _judged(world: World, faults: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise Failure(
            f"seed {world.seed} with {faults} faults: {type(error).__name__}: {error}\n"
            f"to replay it with its trace: .venv/bin/python -m tests.simulation {world.seed} --faults {faults}",
            "\n".join(world.trace),
        ) from error


def run_seed(seed: int, faults: int, folder: Path, profiles: ProfileSet, keep_trace: bool = False) -> Summary:
    """A whole run. Raises Failure with the trace and the seed."""
    return run_world(World(seed, keep_trace), faults, folder, profiles)


def run_world(world: World, faults: int, folder: Path, profiles: ProfileSet) -> Summary:
    """A whole run in this world."""
    scenario = Scenario(world, folder, profiles)

    def opened(path: Path, disk_bytes: int) -> sqlite3.Connection:
        db = open_file(path, disk_bytes)
        for edge in scenario.edges:
            if path.is_relative_to(edge.disk.folder):
                edge.opened(db)
        return db

    state = random.getstate()
    with _judged(world, faults), world.reign(), patch.object(edge_agent.outbox.database, "open_file", opened):
        try:
            return scenario.run(faults)
        finally:
            assert random.getstate() == state, "something takes its randomness from elsewhere"
            for machine in (*scenario.edges, scenario.cloud):
                if machine.alive:
                    assert machine.process is not None
                    machine.process.kill()
                    machine.close_files()
