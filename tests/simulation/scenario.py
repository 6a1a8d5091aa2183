"""One run from a seed: load, faults at random moments, then peace; and what must hold in between and at the end."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cloud_api.ledger.book import GatewayLedger
from contracts.frame import Frame, decode_frame
from edge_agent.profiles import ProfileSet
from tests.simulation.cloud_broker import CloudBroker, Weather
from tests.simulation.local_broker import LocalBroker
from tests.simulation.site import GATEWAY, Cloud, Edge
from tests.simulation.world import World

PEACE_S = 300.0
"""Simulated seconds in which everything must be where it belongs once the faults are over."""
CONSTANT = '{"samples":{"temperature":21.5}}'
"""A device that says the same again and again: only packet ids tell its messages apart."""


class Summary(NamedTuple):
    """What a run did."""

    kills: int
    cuts: int
    messages: int
    samples: int
    repeats: int
    duplicates: int
    dropped: int
    ledgers: int
    fingerprint: int
    mishaps: Counter[str]


class Failure(AssertionError):
    """A run that broke a promise; the message says how to run it again."""


class Scenario:
    """A gateway, the cloud and everything between them."""

    def __init__(self, seed: int, folder: Path, profiles: ProfileSet) -> None:
        self.world = World(seed)
        chance = self.chance = self.world.chance
        # A third of the gateways has so little room that an outage makes them give up frames.
        bytes_max = chance.choice([1 << 30, 1 << 30, 40_000])
        self.local = LocalBroker(self.world, resends_at_once=chance.random() < 0.5)
        self.broker = CloudBroker(self.world)
        self.edge = Edge(
            self.world, folder / "edge", profiles, self.local, self.broker,
            outbox_bytes_max=bytes_max, commit_linger_ms=chance.choice([0, 5, 25]),
            window_frames_max=chance.choice([1, 4, 64]), intake_messages_max=chance.choice([5, 1_500]),
        )  # fmt: skip
        self.cloud = Cloud(self.world, folder / "cloud", self.broker)
        self.accepted: dict[int, str] = {}  # mark -> device
        self.cuts = 0
        self._mark = 0
        self._load_per_s = 0.0

    # --- load ---

    def _publish_forever(self) -> None:
        if self._load_per_s:
            for _ in range(self.chance.choice([1, 1, 1, 2, 8])):
                self._publish()
        self.world.after(self.chance.expovariate(max(self._load_per_s, 1.0)), self._publish_forever)

    def _publish(self) -> None:
        device = self.chance.choice(["d1", "d2", "same"])
        payload = CONSTANT if device == "same" else json.dumps({"samples": {"message_count": self._mark}})
        if self.local.accept(self._mark, f"linli-device/reading/{device}", payload.encode()):
            self.accepted[self._mark] = device
        self._mark += 1

    # --- faults ---

    def _faults(self) -> list[tuple[int, Callable[[], None]]]:
        """How often each comes, and what it does."""
        return [
            (6, lambda: self._kill(self.edge)),
            (6, lambda: self._kill(self.cloud)),
            (2, self._kill_cloud_broker),
            (2, self._kill_local_broker),
            (3, lambda: self._cut("edge")),
            (3, lambda: self._cut("cloud")),
            (2, self._cut_local),
            (2, self._change_weather),
            (1, self._leave),
            (1, self._outage),
        ]

    def _kill(self, machine: Edge | Cloud) -> None:
        if not machine.alive:
            return
        chance = self.chance
        way = chance.random()
        if way < 0.5:
            machine.kill_at_step(chance.randrange(400))
        else:
            machine.kill_at_work(chance.randrange(12), chance.choice(["before", "after", "torn"]))
        for _ in range(20):
            self.world.run_for(0.05)
            if not machine.alive:
                break
        else:
            machine.kill()  # it had nothing to do
        self.world.run_for(chance.choice([0.0, 0.05, 0.5, 3.0]))
        machine.start()
        if chance.random() < 0.3:  # again, while it is still starting
            self._kill(machine)

    def _leave(self) -> None:
        """SIGTERM: not a fault, but the way out must lose nothing either."""
        self.world.note("edge is told to leave")
        process = self.edge.process
        assert process is not None
        process.loop.call_soon(self.edge.task.cancel)
        self.world.run_until(self.edge.task.done, "edge to leave", 30)
        self.edge.close_files()
        process.kill()
        self.edge.start()

    def _kill_cloud_broker(self) -> None:
        with_disk = self.chance.random() < 0.5
        self.world.fault(f"cloud broker killed{' with its disk' if with_disk else ''}")
        self.cuts += 1
        self.broker.kill(with_disk)
        self.world.run_for(self.chance.choice([0.0, 0.3, 3.0]))
        self.broker.start()

    def _kill_local_broker(self) -> None:
        with_session = self.chance.random() < 0.5
        self.world.fault(f"local broker killed{' with its disk' if with_session else ''}")
        self.cuts += 1
        self.local.kill(with_session)
        self.world.run_for(self.chance.choice([0.0, 0.3, 1.0]))
        self.local.up = True

    def _cut(self, who: str) -> None:
        client = next((c for c in self.broker.clients.values() if c.process.name == who), None)
        if client is None:
            return
        self.cuts += 1
        up, down = self.chance.choice([(True, True), (True, False), (False, True), (False, False)])
        if up or down:
            self.world.fault(f"link of {who} silent {'up ' if up else ''}{'down' if down else ''}")
            client.silence(up, down)
        else:
            self.world.fault(f"link of {who} cut")
            client.cut()

    def _cut_local(self) -> None:
        self.world.fault("local link cut")
        self.cuts += 1
        self.local.cut()

    def _change_weather(self) -> None:
        often = self.chance.choice([0.0, 0.1, 0.5])
        self.broker.weather = Weather(
            *(often * self.chance.random() for _ in range(3)), flipped=often * self.chance.choice([0, 0.3])
        )
        self.world.fault(f"weather {self.broker.weather}")

    def _outage(self) -> None:
        """Longer than the outbox has room for, where it has little."""
        self.world.fault("cloud broker away")
        self.cuts += 1
        self.broker.kill(self.chance.random() < 0.5)
        self._load_per_s *= 4
        self.world.run_for(self.chance.uniform(1, 6))
        self.broker.start()

    # --- the run ---

    def run(self, faults: int) -> Summary:
        """Make so many faults. Raises AssertionError when a promise is broken."""
        self.cloud.start()
        self.edge.start()
        self.world.run_until(lambda: self.local.has_session, "the agent's session", 30)
        self._publish_forever()
        weights, makes = zip(*self._faults(), strict=True)
        for _ in range(faults):
            self._load_per_s = self.chance.choice([0.0, 10.0, 40.0, 150.0])
            self.world.run_for(self.chance.expovariate(3))
            self.chance.choices(makes, weights)[0]()
            self.cloud.ask_ledger(self._check_on_the_way)
            self._check_errors()
        self._peace()
        return self._check_at_the_end()

    def _peace(self) -> None:
        """No more faults, no more load: everything gets where it belongs."""
        self.world.note("peace")
        self._load_per_s = 0.0
        self.broker.weather = Weather()
        self.world.run_until(
            lambda: self.local.has_session and self.local.quiet and self.edge.quiet(), "the outbox to be empty", PEACE_S
        )
        self.world.run_for(1.5)  # heartbeats, the last records
        self.world.run_until(self.edge.quiet, "the outbox to be empty again", PEACE_S)
        self._check_errors()

    def _check_errors(self) -> None:
        assert not self.world.errors, self.world.errors

    def _check_on_the_way(self, ledger: GatewayLedger) -> None:
        for entry in ledger.lanes:
            if entry.ledger.unexplained:
                self.world.errors.append(f"unexplained on the way: {entry}")

    def _check_at_the_end(self) -> Summary:
        told: list[GatewayLedger] = []
        self.cloud.ask_ledger(told.append)
        self.world.run_until(lambda: told, "the ledger", 10)
        self._check_errors()
        stored = self._stored_frames()
        lanes = list(self.edge.agent.outbox.lanes.values())
        ledger = [entry.ledger for entry in told[0].lanes]
        produced = sum(entry.produced for entry in ledger)
        assert sum(entry.unexplained for entry in ledger) == 0, ledger
        assert sum(entry.buffered for entry in ledger) == 0, ledger
        assert produced == sum(entry.stored + entry.declared_dropped for entry in ledger), ledger
        assert produced == sum(lane.produced for lane in lanes), (ledger, lanes)
        self._check_messages(stored)
        return Summary(
            kills=sum("killed" in each for each in self.world.faults),
            cuts=self.cuts,
            messages=len(self.accepted),
            samples=produced,
            repeats=self.local.repeats,
            duplicates=self.cloud.ingest.counts.duplicates,
            dropped=sum(entry.declared_dropped for entry in ledger),
            ledgers=self.cloud.ledgers,
            fingerprint=self.world.fingerprint,
            mishaps=Counter(self.broker.counts),
        )

    def _stored_frames(self) -> list[Frame]:
        db = self.cloud.framelog._file._db
        rows = db.execute("SELECT payload FROM frames WHERE gateway = ?", (GATEWAY,))
        return [decode_frame(row[0]) for row in rows]

    def _check_messages(self, stored: list[Frame]) -> None:
        """What the agent acknowledged is stored once, or in a declared drop."""
        keys = {frame.header[:4] for frame in stored}
        assert len(keys) == len(stored)
        dropped = {frame.header[:4]: frame for frame in map(decode_frame, self.edge.dropped)}
        given_up = [frame for key, frame in dropped.items() if key not in keys]
        there, gone = _messages(stored), _messages(given_up)
        counted = {mark: device for mark, device in self.accepted.items() if device != "same"}
        for mark, times in (there + gone).items():
            assert times == 1, f"message {mark} {times} times"
            assert mark in counted, f"message {mark} was never sent"
        for mark in counted:
            assert mark in there or mark in gone or mark in self.local.lost, f"message {mark} is lost"
        same = {mark for mark, device in self.accepted.items() if device == "same"}
        least = len(same - self.local.lost)
        found = _same(stored) + _same(given_up)
        assert least <= found <= len(same), f"{found} of a device that says the same, between {least} and {len(same)}"


def _messages(frames: list[Frame]) -> Counter[int]:
    """Mark -> how often it is there."""
    return Counter(
        int(sample.value)  # type: ignore[arg-type]
        for frame in frames
        for reading in frame.readings
        for sample in reading.samples
        if sample.metric == "message_count"
    )


def _same(frames: list[Frame]) -> int:
    return sum(reading.device == "same" for frame in frames for reading in frame.readings)


@contextmanager
def _replayable(seed: int, faults: int, scenario: Scenario) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        history = "\n".join(scenario.world.history)
        raise Failure(
            f"{history}\n\nseed {seed} with {faults} faults: {type(error).__name__}: {error}\n"
            f"run it again: LINLI_SEED={seed} pytest tests/simulation"
        ) from error
    finally:
        for machine in (scenario.edge, scenario.cloud):
            if machine.alive:
                assert machine.process is not None
                machine.process.kill()
                machine.close_files()
        scenario.world.end()


def run_seed(seed: int, faults: int, folder: Path, profiles: ProfileSet) -> Summary:
    """A whole run. Raises Failure with the history and the seed."""
    scenario = Scenario(seed, folder, profiles)
    with _replayable(seed, faults, scenario):
        return scenario.run(faults)
