"""The truth: places, charge points' cars, bins, rooms, water, smoke, gates, as they are and not as devices tell.

Each thing owns one random stream. It tells its watchers (devices) when something changes at once; slow things (rooms,
bins, meters) advance on a fixed grid when they are looked at, so the truth does not depend on who looks or how often.
"""

from collections.abc import Callable
from math import ceil, floor
from random import Random

from simulators.world import rhythms
from simulators.world.agenda import Agenda
from simulators.world.rhythms import DAY_MS, HOUR_MS, MINUTE_MS

Watcher = Callable[[], None]


class Thing:
    """What all things have: a name, the agenda, a random stream and watchers."""

    def __init__(self, name: str, agenda: Agenda, random: Random) -> None:
        self.name = name
        self.agenda = agenda
        self.random = random
        self._watchers: list[Watcher] = []

    def watch(self, watcher: Watcher) -> None:
        """Call ``watcher`` after each change that a device would notice at once."""
        self._watchers.append(watcher)

    def changed(self) -> None:
        """Tell the watchers."""
        for watcher in self._watchers:
            watcher()

    def wait_ms(self, mean_ms: float, rhythm: tuple[float, ...]) -> float:
        """A random time until the next event of a rhythm whose mean is ``mean_ms``; slow hours are passed quickly."""
        need = self.random.expovariate(1.0)
        waited = 0.0
        while True:
            rate = rhythms.factor(rhythm, self.agenda.now_ms + int(waited)) / mean_ms
            rest = HOUR_MS - (self.agenda.now_ms + waited) % HOUR_MS
            if rate * rest >= need:
                return waited + need / rate
            need -= rate * rest
            waited += rest


class Place(Thing):
    """A parking place. Residents' cars leave in the morning and come back in the evening."""

    def __init__(self, name: str, agenda: Agenda, random: Random) -> None:
        super().__init__(name, agenda, random)
        at_home = 0.35 if 9 <= rhythms.local_hour(agenda.now_ms) < 17 else 0.8
        self.occupied = random.random() < at_home
        self.since_ms = agenda.now_ms - int(random.uniform(5 * MINUTE_MS, 9 * HOUR_MS))
        self._stay_ms = random.uniform(0.6, 1.6) * 9 * HOUR_MS
        self._plan_next()

    def _plan_next(self) -> None:
        if self.occupied:
            wait = self.wait_ms(self._stay_ms, rhythms.LEAVING)
        else:
            wait = self.wait_ms(self._stay_ms * 0.7, rhythms.COMING)
        self.agenda.after(max(wait, 90_000), self.name, self._turn)

    def _turn(self) -> None:
        self.occupied = not self.occupied
        self.changed()
        self.since_ms = self.agenda.now_ms
        self._plan_next()


class Gate(Thing):
    """A way in or out: cars come up to it, wait for it to open, and pass."""

    CAR_MEAN_MS = 4 * MINUTE_MS

    def __init__(self, name: str, agenda: Agenda, random: Random) -> None:
        super().__init__(name, agenda, random)
        self.car = False
        self.passages = random.randrange(10_000, 90_000)
        self._plan_next()

    def _plan_next(self) -> None:
        rhythm = rhythms.LEAVING if rhythms.local_hour(self.agenda.now_ms) < 12 else rhythms.COMING
        self.agenda.after(max(15_000, self.wait_ms(self.CAR_MEAN_MS, rhythm)), self.name, self._come)

    def _come(self) -> None:
        self.car = True
        self.changed()

    def passed(self) -> None:
        """The car went through; the next one will come."""
        self.car = False
        self.passages += 1
        self._plan_next()


class Bin(Thing):
    """A bin that people fill and the crew empties once a day, most days. Depth in mm, fill in per cent."""

    STEP_MS = 10 * MINUTE_MS

    def __init__(self, name: str, agenda: Agenda, random: Random) -> None:
        super().__init__(name, agenda, random)
        self.depth_mm = random.choice((1000, 1200, 1500))
        self.daily_percent = random.uniform(35, 120)
        self.fill_percent = random.uniform(5, 70)
        self.collections = random.randrange(100, 900)
        self.lid_open = False
        self.heat_cel = 0.0  # above the outdoors; a fire
        self._step_ms = agenda.now_ms
        self._crew_hour = random.choice((6.0, 13.5, 21.0))
        self._plan_crew()

    def _plan_crew(self) -> None:
        day_ms = (self.agenda.now_ms + rhythms.ZONE_MS) // DAY_MS * DAY_MS - rhythms.ZONE_MS
        when_ms = day_ms + int((self._crew_hour + self.random.uniform(-0.5, 1.0)) * HOUR_MS)
        while when_ms <= self.agenda.now_ms:
            when_ms += DAY_MS
        self.agenda.at(when_ms, self.name, self._crew)

    def _crew(self) -> None:
        self.look()
        if self.random.random() < 0.93:  # now and then the crew misses a bin
            self.fill_percent = self.random.uniform(0, 4)
            self.collections += 1
            self.changed()
        self.agenda.after(2 * HOUR_MS, self.name, self._plan_crew)

    def look(self) -> None:
        """Bring the bin up to now, a step of the grid at a time."""
        while self._step_ms + self.STEP_MS <= self.agenda.now_ms:
            self._step_ms += self.STEP_MS
            inflow = self.daily_percent * self.STEP_MS / DAY_MS * rhythms.factor(rhythms.WASTE, self._step_ms)
            self.fill_percent = min(100.0, self.fill_percent + inflow * self.random.uniform(0.2, 1.8))
            self.lid_open = self.random.random() < 0.01
            if self.heat_cel > 1:
                self.heat_cel *= 0.8
            elif self.random.random() < 1e-5:
                self.heat_cel = 90.0

    def compact(self) -> None:
        """Press what is in it together."""
        self.look()
        self.fill_percent *= 0.55

    def distance_mm(self) -> int:
        """From the sensor in the lid to the waste."""
        return max(40, round(self.depth_mm * (1 - self.fill_percent / 100)) + 40)

    def temperature_cel(self) -> float:
        """Of the air in the bin."""
        return rhythms.outdoor_cel(self.agenda.now_ms) + 2 + self.heat_cel


class Room(Thing):
    """A common room: people come and go, it heats and cools, its air is used up and renewed."""

    STEP_MS = 5 * MINUTE_MS

    def __init__(self, name: str, agenda: Agenda, random: Random) -> None:
        super().__init__(name, agenda, random)
        self.seats = random.randrange(4, 30)
        self.people = 0
        self.setpoint_cel = 20.0
        self.heating = True
        self.temperature_cel = random.uniform(18.5, 21.5)
        self.co2_ppm = random.uniform(430, 700)
        self.humidity_percent = random.uniform(35, 55)
        self.window_open = False
        self.movements = 0
        self._step_ms = agenda.now_ms
        self._tightness = random.uniform(0.03, 0.08)

    def look(self) -> None:
        """Bring the room up to now, a step of the grid at a time."""
        while self._step_ms + self.STEP_MS <= self.agenda.now_ms:
            self._step_ms += self.STEP_MS
            self._step(self._step_ms)

    def _step(self, now_ms: int) -> None:
        chance = self.random.random
        hour = rhythms.local_hour(now_ms)
        wish = self.seats * (0.5 if 8.5 <= hour < 21.5 else 0.02) * chance()
        change = (wish - self.people) * 0.4
        self.people += ceil(change) if change > 0.5 else floor(change) if change < 0 else 0  # the last one leaves too
        self.movements = round(self.people * chance() * 6)
        self.window_open = self.people > 0 and chance() < 0.06
        outdoor = rhythms.outdoor_cel(now_ms)
        exchange = self._tightness * (6 if self.window_open else 1)
        gap = self.setpoint_cel - self.temperature_cel
        heat = max(-0.25, min(0.45, gap * 0.35)) if self.heating else 0.0
        self.temperature_cel += (outdoor - self.temperature_cel) * exchange * 0.15 + heat + self.people * 0.012
        self.co2_ppm += (415 - self.co2_ppm) * exchange * 1.6 + self.people * 260 / self.seats * (0.7 + 0.6 * chance())
        self.co2_ppm = min(4800.0, max(405.0, self.co2_ppm))
        self.humidity_percent += (45 - self.humidity_percent) * 0.05 + self.people * 0.02 + (chance() - 0.5)
        self.humidity_percent = min(95.0, max(12.0, self.humidity_percent))

    def valve_percent(self) -> int:
        """How far the radiator's valve is open."""
        return round(max(0.0, min(100.0, 40 + (self.setpoint_cel - self.temperature_cel) * 40)))


class Water(Thing):
    """A water pipe with a valve: people draw from it; now and then it leaks until someone shuts it."""

    STEP_MS = 5 * MINUTE_MS

    def __init__(self, name: str, agenda: Agenda, random: Random) -> None:
        super().__init__(name, agenda, random)
        self.open = True
        self.leaking = False
        self.wet = False
        self.flow_litres_h = 0
        self.volume_litres = random.randrange(200_000, 3_000_000)
        agenda.after(random.uniform(0, self.STEP_MS), name, self._step)
        agenda.after(random.expovariate(1 / (25 * DAY_MS)), name, self._burst)

    def _step(self) -> None:
        drawn = 120 * rhythms.factor(rhythms.WATER, self.agenda.now_ms) * self.random.random() ** 2
        self.flow_litres_h = round((drawn + (400 if self.leaking else 0)) * self.open)
        self.volume_litres += round(self.flow_litres_h * self.STEP_MS / HOUR_MS)
        self.agenda.after(self.STEP_MS, self.name, self._step)

    def _burst(self) -> None:
        self.leaking = True
        if self.open:
            self.wet = True
            self.flow_litres_h += 400
            self.changed()
        self.agenda.after(self.random.uniform(1, 6) * HOUR_MS, self.name, self._mend)

    def _mend(self) -> None:
        self.leaking = False
        self.agenda.after(HOUR_MS, self.name, self._dry)
        self.agenda.after(self.random.expovariate(1 / (25 * DAY_MS)), self.name, self._burst)

    def _dry(self) -> None:
        if self.wet and not (self.leaking and self.open):
            self.wet = False
            self.changed()

    def turn(self, is_open: bool) -> None:
        """Open or shut the valve; a shut valve stops the flow, and the floor dries in a while."""
        self.open = is_open
        if not is_open:
            self.flow_litres_h = 0
            self.agenda.after(30 * MINUTE_MS, self.name, self._dry)
        elif self.leaking:
            self.wet = True
        self.changed()


class Air(Thing):
    """The air of a stairwell: smoke, rarely."""

    def __init__(self, name: str, agenda: Agenda, random: Random) -> None:
        super().__init__(name, agenda, random)
        self.smoke = False
        agenda.after(random.expovariate(1 / (60 * DAY_MS)), name, self._smoke)

    def _smoke(self) -> None:
        self.smoke = not self.smoke
        mean_ms = 0.4 * HOUR_MS if self.smoke else 60 * DAY_MS
        self.agenda.after(self.random.expovariate(1 / mean_ms), self.name, self._smoke)
        self.changed()


class Load(Thing):
    """Something that uses electricity through a switch: lights, pumps. Power in W, energy in W.h, never falling."""

    STEP_MS = 5 * MINUTE_MS

    def __init__(self, name: str, agenda: Agenda, random: Random) -> None:
        super().__init__(name, agenda, random)
        self.on = True
        self.rated_w = random.randrange(150, 2400)
        self.power_w = self.rated_w * 0.4
        self.voltage_v = 228.0
        self.energy_wh = random.uniform(10_000, 3_000_000)
        self._now_ms = agenda.now_ms

    def look(self) -> None:
        """Bring the meter up to now."""
        while self._now_ms + self.STEP_MS <= self.agenda.now_ms:
            self._now_ms += self.STEP_MS
            self.energy_wh += self.power_w * self.STEP_MS / HOUR_MS
            share = 0.15 + 0.85 * self.random.random() * min(1.0, rhythms.factor(rhythms.COMING, self._now_ms))
            self.power_w = self.rated_w * share if self.on else 0.0
            self.voltage_v = 228 + self.random.uniform(-6, 6)

    def switch(self, on: bool) -> None:
        """Switch it on or off."""
        self.look()
        self.on = on
        self.power_w = self.rated_w * 0.6 if on else 0.0
        self.changed()
