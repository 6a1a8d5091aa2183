"""A charge point: a car comes, is plugged in, charges along its curve, is full, leaves. Energy never falls."""

from random import Random

from simulators.world import rhythms
from simulators.world.agenda import Agenda
from simulators.world.car import AMPS_MIN, amps_taken, coming
from simulators.world.rhythms import HOUR_MS, MINUTE_MS
from simulators.world.things import Thing


class ChargePoint(Thing):
    """The truth of one AC charge point of ``phases`` phases and at most ``amps_max`` amperes each."""

    STEP_MS = 30_000

    def __init__(self, name: str, agenda: Agenda, random: Random, phases: int) -> None:
        super().__init__(name, agenda, random)
        self.phases = phases
        self.amps_max = 32.0 if phases == 1 else 16.0
        self.limit_a = self.amps_max
        self.stopped = False  # by a command; holds until the car leaves or charging is started again
        self.status = "Available"
        self.error = "NoError"
        self.need_wh = 0.0
        self.session_wh = 0.0
        self.session_start_ms = agenda.now_ms
        self.register_wh = random.uniform(200_000, 9_000_000)
        self.voltage_v = 229.0
        self.temperature_cel = 24.0
        self.parked = False  # a car stands before it that is not plugged in
        self.since_ms = agenda.now_ms - int(random.uniform(5 * MINUTE_MS, 5 * HOUR_MS))
        self._metered_ms = agenda.now_ms
        self._amps = 0.0
        self._turn = 0  # counts changes, so that a plan made before one is known to be void
        if random.random() < 0.45:
            self._plug(random.uniform(0.1, 0.9))
        else:
            self._plan_car()
        agenda.after(random.expovariate(1 / (20 * 24 * HOUR_MS)), name, self._fault)
        self._plan_parker()

    @property
    def occupied(self) -> bool:
        """A car stands before it, plugged in or not: what a sensor in the ground sees. ``since_ms``: since when so."""
        return self.plugged or self.parked

    @property
    def plugged(self) -> bool:
        """A car is connected."""
        return self.need_wh > 0

    @property
    def session_s(self) -> int:
        """How long the car has been connected."""
        return (self.agenda.now_ms - self.session_start_ms) // 1000 if self.plugged else 0

    def amps(self) -> float:
        """The current in each phase, now."""
        self.look()
        return self._amps

    def power_w(self) -> float:
        """Of all phases, now."""
        return self.amps() * self.voltage_v * self.phases

    def look(self) -> None:
        """Bring the meter up to now, a step of the grid at a time, so that it does not matter who looks and when."""
        while self._metered_ms + self.STEP_MS <= self.agenda.now_ms:
            self._metered_ms += self.STEP_MS
            if self.status == "Charging":
                self._amps = self._curve()
                energy = min(self._amps * self.voltage_v * self.phases * self.STEP_MS / HOUR_MS, self.need_wh)
                self.session_wh += energy
                self.register_wh += energy
            self.temperature_cel += (27 + self._amps * 0.7 - self.temperature_cel) * 0.1

    def _curve(self) -> float:
        return amps_taken(self.limit_a, self.session_wh / self.need_wh)

    def _set(self, status: str) -> None:
        self.look()
        self.status = status
        self._amps = self._curve() if status == "Charging" else 0.0
        self._turn += 1
        self.changed()

    def _plan_car(self) -> None:
        self.agenda.after(max(2 * MINUTE_MS, self.wait_ms(7 * HOUR_MS, rhythms.COMING)), self.name, self._come)

    def _come(self) -> None:
        if self.status != "Available" or self.parked:
            self._plan_car()
            return
        self._plug(0.0)
        self._moved()

    def _plan_parker(self) -> None:
        self.agenda.after(self.random.expovariate(1 / (30 * HOUR_MS)), self.name, self._park)

    def _park(self) -> None:
        """Someone parks here without charging."""
        if self.occupied:
            self._plan_parker()
            return
        self.parked = True
        self._moved()
        self.agenda.after(self.random.uniform(0.3, 3) * HOUR_MS, self.name, self._unpark)

    def _unpark(self) -> None:
        self.parked = False
        self._moved()
        self._plan_parker()

    def _moved(self) -> None:
        """A car came or went. Watchers are told before ``since_ms`` moves: they tell how long it was as before."""
        self.changed()
        self.since_ms = self.agenda.now_ms

    def _plug(self, done: float) -> None:
        self.need_wh, self.voltage_v = coming(self.random)
        self.session_wh = round(self.need_wh * done)
        self.session_start_ms = self.agenda.now_ms - int(done * 3 * HOUR_MS)
        self.status = "Preparing"
        self._turn += 1
        self.agenda.after(self.random.uniform(8_000, 40_000), self.name, self._authorised)
        stay_ms = self.random.uniform(1.5, 11) * HOUR_MS
        self.agenda.after(stay_ms, self.name, self._leave)

    def _authorised(self) -> None:
        if self.status == "Preparing" and not self.stopped:
            self._begin()

    def _begin(self) -> None:
        self._set("Charging")
        self._plan_end()

    def _plan_end(self) -> None:
        turn = self._turn

        def check() -> None:
            if turn != self._turn or self.status != "Charging":
                return
            self.look()
            if self.session_wh >= self.need_wh - 1:
                self._set("SuspendedEV")
            else:
                self.agenda.after(2 * MINUTE_MS, self.name, check)

        self.agenda.after(2 * MINUTE_MS, self.name, check)

    def _leave(self) -> None:
        self.look()
        self.need_wh = self.session_wh = 0.0
        self.stopped = False
        self.limit_a = self.amps_max
        if self.status != "Faulted":
            self._set("Available")
        else:
            self.changed()
        self.since_ms = self.agenda.now_ms
        self._plan_car()

    def _fault(self) -> None:
        self.error = self.random.choice(("GroundFailure", "HighTemperature", "OverCurrentFailure"))
        self._set("Faulted")
        self.agenda.after(self.random.uniform(0.5, 5) * HOUR_MS, self.name, self._mended)
        self.agenda.after(self.random.expovariate(1 / (20 * 24 * HOUR_MS)), self.name, self._fault)

    def _mended(self) -> None:
        self.error = "NoError"
        if not self.plugged:
            self._set("Available")
        elif self.stopped:
            self._set("Unavailable")
        else:
            self._begin()

    def stop(self) -> bool:
        """Stop charging; it stays stopped until started again or the car leaves. False: it is faulted."""
        if self.status == "Faulted":
            return False
        self.stopped = True
        self._set("Unavailable")
        if not self.plugged:  # nothing to hold back: the point is taken back into service
            self.agenda.after(5 * MINUTE_MS, self.name, self._release)
        return True

    def _release(self) -> None:
        if self.status == "Unavailable" and not self.plugged:
            self.stopped = False
            self._set("Available")

    def start(self) -> bool:
        """Charge, if there is a car that is not full. False: it is faulted."""
        if self.status == "Faulted":
            return False
        self.stopped = False
        if not self.plugged:
            self._set("Available")
        elif self.session_wh >= self.need_wh - 1:
            self._set("SuspendedEV")
        elif self.status != "Charging":
            self._begin()
        return True

    def limit(self, amps: float) -> bool:
        """Offer at most ``amps`` a phase. False: below 6 A or above what the point can give."""
        if not AMPS_MIN <= amps <= 32:
            return False
        self.look()
        self.limit_a = min(float(amps), 32.0)
        if self.status == "Charging":
            self._amps = self._curve()
        self.changed()
        return True
