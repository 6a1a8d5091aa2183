"""A site of charge points: moved along with the wall clock, troubled as real ones are, and the truth of what they did."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from simulators.ocpp.clock import Scale
from simulators.ocpp.link import Link
from simulators.ocpp.outlet import Session
from simulators.ocpp.station import Habits, Station
from simulators.ocpp.troubles import KINDS, Troubles
from simulators.world.agenda import Agenda
from simulators.world.rhythms import DAY_MS, MINUTE_MS

NAP_S_MAX = 0.25
NAP_S_MIN = 0.005
TELL_MS_MAX = 60_000
PHASES_FIRST = (1,)
"""A charger of one phase is on the first: where it matters, the fullest."""


class Load:
    """What all connectors draw together, A a phase, at every moment, and the most that it ever was.

    busy_peak  how many cars that were not full charged at once, at most
    """

    def __init__(self) -> None:
        self.now_a = {1: 0.0, 2: 0.0, 3: 0.0}
        self.peak_a = 0.0
        self.busy_peak = 0

    def drawn(self, phases: int, before: float, after: float) -> None:
        """A connector's current changes."""
        for phase in PHASES_FIRST if phases == 1 else self.now_a:
            self.now_a[phase] += after - before
        self.peak_a = max(self.peak_a, *self.now_a.values())


class Site:
    """note: told each event of the truth, as a JSON object with ``at_ms`` (the wall clock's) and ``event``."""

    def __init__(
        self,
        names: Sequence[tuple[str, str]],
        url: str,
        passwords: dict[str, str],
        seed: int,
        scale: Scale,
        habits: Habits,
        troubles: Troubles,
        wall_ms: Callable[[], int],
        note: Callable[[dict[str, Any]], None],
    ) -> None:
        """names: (charge point, version) each."""
        self.agenda = Agenda(scale.virtual_ms)
        self.load = Load()
        self.ended: list[tuple[Station, Session]] = []
        self.troubled = dict.fromkeys(KINDS, 0)
        self._scale = scale
        self._troubles = troubles
        self._wall_ms = wall_ms
        self._note = note
        self._random = Random(f"{seed} site")
        self._habits = habits
        self._began = not habits.await_limits
        self._over = False
        self.links: list[Link] = []
        for name, version in names:
            station = Station(
                name, version, self.agenda, Random(f"{seed} {name}"), scale, habits, self.load.drawn, self._session_ended,
                lambda: None,
            )  # fmt: skip
            link = Link(station, url, passwords.get(name, ""), Random(f"{seed} {name} link"), scale, self.tick)
            station.on_change = link.changed.set
            self.links.append(link)
            station.power_on()
            self._plan_troubles(link)

    @property
    def stations(self) -> list[Station]:
        """All of them."""
        return [link.station for link in self.links]

    def tick(self) -> None:
        """Bring the simulated time up to now: what is due happens, at its time."""
        if not self._began:
            return
        now_ms = self._scale.at(self._wall_ms())
        while (due_ms := self.agenda.next_ms()) is not None and due_ms <= now_ms:
            self.agenda.take()()
        self.agenda.now_ms = max(self.agenda.now_ms, now_ms)

    def look(self) -> None:
        """Bring every meter up to now."""
        for station in self.stations:
            station.look()
        outlets = [outlet for station in self.stations for outlet in station.outlets.values()]
        self.load.busy_peak = max(self.load.busy_peak, sum(bool(one.session) and not one.full for one in outlets))

    async def run(self, until_ms: int | None) -> None:
        """Play until that simulated time, then let all cars go and wait until everything is said, a minute at most.

        None: no end.
        """
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(link.run(), name=f"link {link.station.name}") for link in self.links]
            try:
                await self._be_commissioned()
                while until_ms is None or self.agenda.now_ms < until_ms:
                    self.tick()
                    self.look()
                    await asyncio.sleep(self._nap_s())
                self._close()
                given_up_ms = self._wall_ms() + TELL_MS_MAX
                while not self.told() and self._wall_ms() < given_up_ms:
                    self.tick()
                    await asyncio.sleep(NAP_S_MAX)
            finally:
                for task in running:
                    task.cancel()

    async def _be_commissioned(self) -> None:
        """With ``await_limits`` the time stands still until all were given a limit; then it begins, all clocks right."""
        if not self._habits.await_limits:
            return
        while not all(station.is_limited for station in self.stations):
            await asyncio.sleep(NAP_S_MAX)
        self._scale.wall_ms = self._wall_ms()
        self.agenda.now_ms = self._scale.virtual_ms
        for station in self.stations:
            station.clock_error_ms = 0
        self._began = True

    def report(self) -> dict[str, Any]:
        """What came of it: counts, energy in Wh, the most that was ever drawn, A a phase."""
        return {
            "sessions": len(self.ended),
            "energy_wh": sum(session.energy_wh for _, session in self.ended),
            "peak_a": round(self.load.peak_a, 3),
            "busy_peak": self.load.busy_peak,
            "untold": sum(len(station.queue) for station in self.stations),
            "refused": sum(station.refusals for station in self.stations),
            "troubles": self.troubled,
        }

    def told(self) -> bool:
        """Everything that belongs to transactions has been answered."""
        return not any(station.queue for station in self.stations)

    def _close(self) -> None:
        self._over = True
        for link in self.links:
            link.silent = False
            if not link.station.powered:
                link.station.power_on()
            link.station.close_down()

    def _nap_s(self) -> float:
        due_ms = self.agenda.next_ms()
        until_s = (due_ms - self.agenda.now_ms) / 1000 / self._scale.speed if due_ms is not None else NAP_S_MAX
        return min(NAP_S_MAX, max(NAP_S_MIN, until_s))

    def _session_ended(self, station: Station, session: Session) -> None:
        self.ended.append((station, session))
        self._note(
            {
                "at_ms": self._scale.wall(self.agenda.now_ms), "event": "session", "charge_point": station.name,
                "version": station.version, "connector": session.connector, "session": session.id,
                "token": session.token, "begin_ms": self._scale.wall(session.begin_ms),
                "end_ms": self._scale.wall(session.end_ms),
                "energy_wh": session.energy_wh, "reason": session.reason,
            }
        )  # fmt: skip

    # --- troubles ---

    def _plan_troubles(self, link: Link) -> None:
        for kind, a_day in zip(KINDS, self._troubles, strict=False):
            if a_day > 0:
                self._plan(kind, link, a_day)

    def _plan(self, kind: str, link: Link, a_day: float) -> None:
        def happen() -> None:
            if self._over:
                return  # the day is over
            self.troubled[kind] += 1
            self._note(
                {"at_ms": self._scale.wall(self.agenda.now_ms), "event": kind, "charge_point": link.station.name}
            )
            self._trouble(kind, link)
            self._plan(kind, link, a_day)

        self.agenda.after(self._random.expovariate(a_day / DAY_MS), link.station.name, happen)

    def _trouble(self, kind: str, link: Link) -> None:
        station, name = link.station, link.station.name
        away_ms = self._scale.last(self._random.uniform(0.05, self._troubles.away_s))
        if kind == "lost_answers":
            link.cut_soon = True
        elif kind == "resets":
            station.reset_register(self._random.choice(list(station.outlets.values())))
        elif kind == "cuts":
            link.silent = True
            link.cut()

            def there_again() -> None:
                link.silent = False

            self.agenda.after(away_ms, name, there_again)
        elif station.powered:
            station.power_off(clock_lost=kind == "clocks", limits_lost=kind == "forgets")
            link.cut()
            off_ms = min(away_ms, 10 * MINUTE_MS)
            self.agenda.after(off_ms, name, station.power_on)
