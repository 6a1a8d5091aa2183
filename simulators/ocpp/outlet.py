"""One connector: a car comes, is plugged in, takes what it may, goes. Its meter counts whole watt-hours."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from simulators.world import rhythms
from simulators.world.agenda import Agenda
from simulators.world.car import AMPS_MIN, Car, amps_taken, coming
from simulators.world.rhythms import HOUR_MS, MINUTE_MS
from simulators.world.things import Thing

STEP_MS = 30_000
"""A car that is nearly full takes less and less: its current is looked at so often."""


@dataclass
class Session:
    """A charging session as it truly was. Times are virtual; energy is what flowed, whatever the register showed.

    number   the transaction's number, once the central system has given one (1.6)
    turn     the next event's number (2.0.1)
    """

    id: str
    connector: int
    token: str
    begin_ms: int
    energy_wh: int = 0
    end_ms: int = 0
    reason: str = ""
    number: int | None = None
    turn: int = 0
    state: str = field(default="")


class Outlet(Thing):
    """limit_a: asked at each look, for this connector. drawn: told how the current in each phase changes, from what to what."""

    def __init__(
        self,
        name: str,
        connector: int,
        phases: int,
        amps_max: float,
        agenda: Agenda,
        random: Random,
        limit_a: Callable[[int], float],
        drawn: Callable[[float, float], None],
    ) -> None:
        super().__init__(name, agenda, random)
        self.connector = connector
        self.phases = phases
        self.amps_max = amps_max
        self.register_wh = random.randrange(100_000, 5_000_000)
        self.car: Car | None = None
        self.taken_wh = 0
        self.session: Session | None = None
        self.amps = 0.0
        self.closed = False  # the contactor: energy may flow
        self._limit_a = limit_a
        self._drawn = drawn
        self._part_wh = 0.0
        self._looked_ms = agenda.now_ms

    @property
    def full(self) -> bool:
        """The car has all that it needs."""
        return self.car is not None and self.taken_wh >= self.car.need_wh - 1

    def look(self) -> None:
        """Bring meter and current up to now."""
        now_ms = self.agenda.now_ms
        while self._looked_ms < now_ms:
            step_ms = min(STEP_MS, now_ms - self._looked_ms)
            self._looked_ms += step_ms
            if self.amps and self.car is not None:
                self._count(self.amps * self.car.voltage_v * self.phases * step_ms / HOUR_MS)
                self._flow(min(self._wanted(), self.amps))  # a limit that is now higher is taken up at the last step
        self._flow(self._wanted())

    def _wanted(self) -> float:
        if not self.closed or self.car is None or self.session is None or self.full:
            return 0.0
        limit_a = min(self.amps_max, self._limit_a(self.connector))
        return amps_taken(limit_a, self.taken_wh / self.car.need_wh) if limit_a >= AMPS_MIN else 0.0

    def _flow(self, amps: float) -> None:
        if amps != self.amps:
            self._drawn(self.amps, amps)
            self.amps = amps

    def _count(self, energy_wh: float) -> None:
        whole, self._part_wh = divmod(self._part_wh + energy_wh, 1)
        self.register_wh += int(whole)
        self.taken_wh += int(whole)
        if self.session is not None:
            self.session.energy_wh += int(whole)

    def close(self, closed: bool) -> None:
        """Let energy flow, or not."""
        self.look()
        self.closed = closed
        self.look()

    def plug(self) -> float:
        """A car comes. Returns how long it stays, ms."""
        self.look()
        self.car, self.taken_wh, self._part_wh = coming(self.random), 0, 0.0
        return self.random.uniform(1.0, 7.0) * HOUR_MS

    def unplug(self) -> None:
        """The car goes."""
        self.close(False)
        self.car = None

    def next_car_ms(self) -> float:
        """How long until the next one comes."""
        return max(2 * MINUTE_MS, self.wait_ms(3 * HOUR_MS, rhythms.COMING))
