"""The faults: how often each comes, and how it is made. Disasters come at most twice in a run, at planned places."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.cloud_broker import Weather
from tests.simulation.disk import Files, damaged
from tests.simulation.edge import Edge
from tests.simulation.machine import Machine
from tests.simulation.world import BASE_MS

if TYPE_CHECKING:
    from tests.simulation.scenario import Scenario

EDGE_PLACES = (
    "before_commit", "in_commit", "after_commit", "after_puback", "after_publish", "before_ack_commit",
    "after_ack_commit", "after_delete", "after_drop", "in_healing",
)  # fmt: skip
EDGE_PLACES_IN_DISASTERS = ("set_aside", "in_salvage", "salvaged", "epoch_begun", "framed_again")
WAIT_FOR_DEATH_S = 1.0
Make = Callable[[], None]


class Faults:
    """Kills, cuts, weather: what a gateway meets every week."""

    def __init__(self, scenario: "Scenario") -> None:
        self._all = scenario
        self._world = scenario.world
        self._chance = scenario.chance
        self._makes: list[tuple[int, Make]] = [
            (7, self._kill_edge),
            (7, self._kill_cloud),
            (2, self._kill_cloud_broker),
            (2, self._kill_local_broker),
            (3, lambda: self._cut("edge")),
            (2, lambda: self._cut("cloud")),
            (2, self._cut_local),
            (2, self._change_weather),
            (1, lambda: self._leave(scenario.edge)),
            (1, lambda: self._leave(scenario.cloud)),
            (1, self._outage),
            (1, lambda: scenario.edge.refuse_work(self._chance.uniform(0.05, 1.5))),
            (1, lambda: scenario.cloud.refuse_work(self._chance.uniform(0.05, 1.5))),
            (1, self._set_wall_clock),
        ]

    def make_one(self) -> None:
        """The next one. A few come several at a time."""
        weights, makes = zip(*self._makes, strict=True)
        self._chance.choices(makes, weights)[0]()

    # --- kills ---

    def _kill_edge(self) -> None:
        edge, chance = self._all.edge, self._chance
        way = chance.random()
        if way < 0.25:
            edge.armed = chance.choice(EDGE_PLACES)
        else:
            self._arm(edge, way)
        self._wait_for_death(edge)
        if chance.random() < 0.15:
            edge.wall_wrong_ms = self._wrong_ms()
        self._start_again(edge)

    def _kill_cloud(self) -> None:
        cloud, way = self._all.cloud, self._chance.random()
        if way < 0.25:
            cloud.die_before_ack()
        else:
            self._arm(cloud, way)
        self._wait_for_death(cloud)
        self._start_again(cloud)

    def _arm(self, machine: Machine, way: float) -> None:
        chance = self._chance
        if way < 0.6:
            machine.die_at_write(chance.randrange(6), chance.choice(["before", "after", "within"]))
        else:
            machine.die_at_step(chance.randrange(300), power=chance.random() < 0.4)

    def _wait_for_death(self, machine: Machine) -> None:
        end_s = self._world.now_s + WAIT_FOR_DEATH_S
        while machine.alive and self._world.now_s < end_s:
            self._world.run_for(0.02)
        if machine.alive:  # it had nothing to do
            power = self._chance.random() < 0.4
            machine.die("loses power" if power else "killed idle", power=power)

    def _start_again(self, machine: Machine) -> None:
        chance = self._chance
        self._world.run_for(chance.choice([0.0, 0.05, 0.5, 3.0]))
        if chance.random() < 0.2:
            machine.dies_at_statement = chance.randrange(40)
        while not machine.alive:
            machine.start()
        if chance.random() < 0.2:
            machine.die_at_step(chance.randrange(40), power=False)
            self._wait_for_death(machine)
            machine.start()

    def _leave(self, machine: Machine) -> None:
        """SIGTERM: not a fault, but the way out must lose nothing either."""
        process = machine.process
        assert process is not None
        self._world.fault(f"{machine.name} told to leave")
        process.loop.call_soon(machine.task.cancel)
        self._world.run_until(lambda: machine.task.done() or not machine.alive, f"{machine.name} to leave", 60)
        if machine.alive:
            process.kill()
            machine.close_files()
        machine.start()

    # --- the network ---

    def _kill_cloud_broker(self) -> None:
        with_disk = self._chance.random() < 0.5
        self._world.fault(f"cloud broker killed{' with its disk' if with_disk else ''}")
        self._all.broker.kill(with_disk)
        self._world.run_for(self._chance.choice([0.0, 0.3, 3.0]))
        self._all.broker.start()

    def _kill_local_broker(self) -> None:
        with_disk = self._chance.random() < 0.5
        self._world.fault(f"local broker killed{' with its disk' if with_disk else ''}")
        self._all.local.kill(with_disk)
        self._world.run_for(self._chance.choice([0.0, 0.3, 1.0]))
        self._all.local.up = True

    def _cut(self, who: str) -> None:
        client = next((c for c in self._all.broker.clients.values() if c.process.name == who), None)
        if client is None:
            return
        up, down = self._chance.choice([(True, True), (True, False), (False, True), (False, False)])
        if up or down:
            way = "half-open" if up and down else "silent up" if up else "silent down"
            self._world.fault(f"link of {who} {way}")
            client.silence(up, down)
        else:
            self._world.fault(f"link of {who} cut")
            client.cut()
            for _ in range(self._chance.choice([0, 0, 3])):  # it flaps
                self._world.run_for(self._chance.uniform(0.05, 0.5))
                for again in [c for c in self._all.broker.clients.values() if c.process.name == who]:
                    self._world.fault(f"link of {who} cut")
                    again.cut()

    def _cut_local(self) -> None:
        self._world.fault("local link cut")
        self._all.local.cut()

    def _change_weather(self) -> None:
        often = self._chance.choice([0.0, 0.1, 0.5])
        self._all.broker.weather = Weather(
            *(often * self._chance.random() for _ in range(3)), flipped=often * self._chance.choice([0, 0.3])
        )
        self._world.note(f"weather {self._all.broker.weather}")

    def _outage(self) -> None:
        """Longer than the outbox has room for, where it has little."""
        self._world.fault("cloud broker away for seconds")
        self._all.broker.kill(self._chance.random() < 0.5)
        self._all.load_per_s = 100.0
        self._world.run_for(self._chance.uniform(1, 6))
        self._all.broker.start()

    # --- the clock ---

    def _wrong_ms(self) -> int:
        wrong_ms = self._chance.choice([0, 0, -BASE_MS, -86_400_000, 1_800_000])
        self._world.fault("wall clock in 1970" if wrong_ms == -BASE_MS else "wall clock steps", wrong_ms)
        return wrong_ms

    def _set_wall_clock(self) -> None:
        self._all.edge.wall_wrong_ms = self._wrong_ms()


class Disasters:
    """What happens once in a gateway's life: copies, damage, backups."""

    def __init__(self, scenario: "Scenario") -> None:
        self._all = scenario
        self._world = scenario.world
        self._chance = scenario.chance
        self._image: Files = {}
        self._backup: Files = {}

    def plan(self, count: int) -> dict[int, Make]:
        """Number of the fault -> the disaster that comes in its place: one of them, with what has to come before it."""
        chance = self._chance
        first = chance.randrange(count)
        second = chance.randrange(first, count) + 1
        choices: list[dict[int, Make]] = [
            {first: self._back_up, second: self._restore_cloud},
            {first: self._take_image, second: self._copy_back},
            {first: self._begin_twin, second: self._end_twin},
            {first: self._delete_running},
            {first: self._damage},
            {first: self._delete_stopped},
        ]
        return chance.choice(choices)

    def _back_up(self) -> None:
        self._world.note("cloud is backed up")
        self._backup = self._all.cloud.disk.files()

    def _restore_cloud(self) -> None:
        self._all.cloud.die("restored from an older backup", self._backup)
        self._all.cloud.start()

    def _take_image(self) -> None:
        self._world.note("edge's disk is copied")
        self._image = self._all.edge.disk.files()

    def _copy_back(self) -> None:
        edge = self._all.edge
        found = edge.disk.files()
        edge.power_lost()
        edge.die("restored from an older disk image", self._image)
        self._excuse(found, self._image)
        edge.start()
        edge.armed = self._chance.choice(["", "epoch_begun", "framed_again"])

    def _begin_twin(self) -> None:
        everything = self._all
        self._world.fault("a twin of the gateway begins")
        twin = Edge(
            self._world, "twin", everything.folder / "twin", everything.profiles, everything.new_local_broker(),
            everything.broker, **everything.settings,
        )  # fmt: skip
        twin.disk.put(everything.edge.disk.files())
        everything.twin = twin
        twin.start()

    def _end_twin(self) -> None:
        assert self._all.twin is not None
        self._all.load_per_s = 3.0
        self._world.run_for(self._chance.choice([0.0, 5.0, 90.0]))
        self._all.twin.die("switched off")

    def _delete_running(self) -> None:
        """The open file still has everything, and is written anew with the next commit."""
        edge = self._all.edge
        self._world.fault("outbox deleted under the agent")
        for path in edge.disk.folder.glob("outbox.sqlite*"):
            path.unlink()
        self._all.load_per_s = 40.0
        self._world.run_until((edge.disk.folder / "outbox.sqlite").exists, "the outbox to be written anew", 90)

    def _damage(self) -> None:
        self._stopped("outbox damaged", lambda files: damaged(files, self._chance))

    def _delete_stopped(self) -> None:
        kept = self._chance.choice(["outbox-lanes.json", "clock.json"])
        self._stopped("outbox deleted", lambda files: {name: files[name] for name in files if name == kept})

    def _stopped(self, how: str, change: Callable[[Files], Files]) -> None:
        edge, chance = self._all.edge, self._chance
        found = edge.disk.files()
        left = change(found)
        edge.die(how, left)
        self._excuse(found, {})
        edge.armed = chance.choice(["", *EDGE_PLACES_IN_DISASTERS])
        while not edge.alive:
            edge.start()

    def _excuse(self, before: Files, after: Files) -> None:
        """What was on the lost disk and nowhere else is lost with it, and so is the memory of what was delivered."""
        edge, scratch = self._all.edge, self._all.folder / "scratch"
        kept = set(edge.disk.frames(after, scratch)) if after else set()
        self._all.checks.excuse(
            [frame for frame in edge.disk.frames(before, scratch) if frame not in kept], edge.local.flying
        )
