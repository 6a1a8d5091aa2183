"""A charge point as it works, whichever version it speaks: cars, cards, the queue of what must be said, orders. No I/O.

It survives what real ones do: its link is cut, it starts again, its clock is wrong until it is told the time. What belongs to
a transaction waits in a queue, with the times at which it was, and is repeated until it is answered; a restart keeps it.
"""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import NamedTuple
from uuid import UUID

from simulators.ocpp.clock import Scale
from simulators.ocpp.limits import Limits, Profile
from simulators.ocpp.notices import Kind, Meter, Notice
from simulators.ocpp.outlet import Outlet, Session
from simulators.world.agenda import Agenda
from simulators.world.car import Car
from simulators.world.rhythms import MINUTE_MS

WORDS_MAX = 200
"""What does not belong to a transaction waits so much at most, while there is a link."""
CARD_TRIES, CARD_AGAIN_MS = 5, 20 * MINUTE_MS
CLOCK_TOLERANCE_MS = 5_000
RESET_WH_MIN = 100
"""A register that shows less is not reset: from so small a fall nobody can tell a reset from a reading that came late."""
CLOCK_AT_POWER_ON_MS = 0
"""A clock that has lost its time begins in 1970."""


class Habits(NamedTuple):
    """How the charge points of a site behave.

    meter_ms      how often a meter is read while a car charges
    await_limits  the day begins when all were given a limit: until then each would draw its most
    """

    connectors: int = 1
    meter_ms: int = 15 * MINUTE_MS
    amps_max: float = 16.0
    await_limits: bool = False


class Station:
    """queue: what belongs to transactions, the oldest first. words: what else is to be said.

    drawn      told (phases, from, to) when a connector's current changes
    ended      told of each session that has ended
    on_change  called when there may be something to send
    """

    def __init__(
        self,
        name: str,
        version: str,
        agenda: Agenda,
        random: Random,
        scale: Scale,
        habits: Habits,
        drawn: Callable[[int, float, float], None],
        ended: Callable[["Station", Session], None],
        on_change: Callable[[], None],
    ) -> None:
        self.name = name
        self.version = version
        self.agenda = agenda
        self.random = random
        self.habits = habits
        self.limits = Limits()
        self.local_list: dict[str, str] = {}
        self.list_version = 0
        self.queue: deque[Notice] = deque()
        self.words: deque[Notice] = deque(maxlen=WORDS_MAX)
        self.powered = self.online = False
        self.clock_error_ms = 0
        self.inoperative: set[int] = set()
        self.reserved: dict[int, tuple[int, str, int]] = {}  # connector -> reservation, token, until
        self.reported: dict[int, str] = {}
        self._scale = scale
        self._ended = ended
        self._open = True
        self.on_change = on_change
        self.refusals = 0  # of what belongs to transactions: each is a session that is not told rightly
        self._life = 0  # what was planned before a restart is void
        self._unbounded = False  # it has lost its limits: it closes no contactor before it is let in
        phases = 3 if random.random() < 0.7 else 1
        self.outlets = {
            number: Outlet(
                f"{name}-{number}", number, phases, habits.amps_max, agenda, random,
                lambda connector: self.limits.amps(connector, self.said_ms),
                lambda before, after: drawn(phases, before, after),
            )
            for number in range(1, habits.connectors + 1)
        }  # fmt: skip
        for outlet in self.outlets.values():
            first_ms = random.uniform(0, 10) * MINUTE_MS if random.random() < 0.5 else outlet.next_car_ms()
            agenda.after(first_ms, name, lambda outlet=outlet: self._come(outlet))  # type: ignore[misc]

    @property
    def said_ms(self) -> int:
        """Now, by its own clock, as it is written on the wire: the wall clock's time, if it is right."""
        return self._scale.wall(self.agenda.now_ms) + self.clock_error_ms

    @property
    def is_limited(self) -> bool:
        """It was given limits that bound all its connectors."""
        return all(self.limits.amps(connector, self.said_ms) < float("inf") for connector in self.outlets)

    # --- power and link ---

    def power_on(self) -> None:
        """It starts."""
        self.powered = True
        self._life += 1
        self.reported.clear()
        if not self._unbounded:
            self._go_on()
        self.on_change()

    def _go_on(self) -> None:
        for outlet in self.outlets.values():
            if outlet.session is not None:
                outlet.close(True)
                self._plan_meter(outlet)

    def power_off(self, clock_lost: bool, limits_lost: bool = False) -> None:
        """It stops, at once. 2.0.1 goes on with its transactions when it starts again; 1.6 ends them then.

        limits_lost  its charging profiles too: it lets no car charge then before it is let in
        """
        self.powered = self.online = False
        self._life += 1
        for outlet in self.outlets.values():
            outlet.close(False)
            if outlet.session is not None and self.version == "1.6":
                self._end(outlet, "PowerLoss")
        self.limits.power_lost()
        if limits_lost:
            self.limits.clear(lambda one: True)
            self._unbounded = True
        self.words.clear()
        self.on_change()
        if clock_lost:
            self.set_clock(CLOCK_AT_POWER_ON_MS)

    def set_clock(self, time_ms: int) -> None:
        """It is told the time. It sets its clock when that is clearly wrong, not for the time the answer took."""
        error_ms = time_ms - self._scale.wall(self.agenda.now_ms)
        if abs(error_ms - self.clock_error_ms) > CLOCK_TOLERANCE_MS:
            self.clock_error_ms = error_ms

    def linked(self, time_ms: int) -> None:
        """The central system has accepted it, and says what time it is."""
        self.online = True
        self.set_clock(time_ms)
        if self._unbounded:
            self._unbounded = False
            self._go_on()
        self.reported.clear()
        for connector in (0, *self.outlets):
            self.report(connector)
        self.on_change()

    def unlinked(self) -> None:
        """The link is lost. What does not belong to a transaction is not said late."""
        self.online = False
        self.words.clear()

    # --- cars and cards ---

    def _come(self, outlet: Outlet) -> None:
        if not self._open:
            return
        if not self.powered or outlet.connector in self.inoperative or self._is_reserved(outlet.connector):
            self.agenda.after(outlet.next_car_ms(), self.name, lambda: self._come(outlet))
            return
        stay_ms = outlet.plug()
        self.report(outlet.connector)
        car = outlet.car
        for tries in range(CARD_TRIES):  # who gets no answer tries again
            wait_ms = self.random.uniform(8_000, 40_000) + tries * CARD_AGAIN_MS
            self.agenda.after(wait_ms, self.name, lambda: self._card(outlet, car))
        self.agenda.after(stay_ms, self.name, lambda: self._go(outlet))

    def card(self, connector: int) -> str:
        """The card of who charges here."""
        return f"CARD-{self.name}"[:18] + f"-{connector}"

    def _card(self, outlet: Outlet, car: Car | None) -> None:
        """Someone holds a card before it. Without a link its own list decides, and who is not in it may charge."""
        if outlet.car is not car or outlet.session is not None or outlet.taken_wh or not self.powered:
            return
        token = self.card(outlet.connector)
        if self.online:
            self.word("authorize", connector=outlet.connector, token=token)
        elif self.local_list.get(token, "Accepted") == "Accepted":
            self.begin(outlet.connector, token)

    def _go(self, outlet: Outlet) -> None:
        if not self._open:
            return
        if outlet.session is not None:
            self._end(outlet, "EVDisconnected")
        outlet.unplug()
        self.report(outlet.connector)
        self.agenda.after(outlet.next_car_ms(), self.name, lambda: self._come(outlet))

    def close_down(self) -> None:
        """The day is over: all cars go, and none comes any more."""
        self._open = False
        for outlet in self.outlets.values():
            if outlet.session is not None:
                self._end(outlet, "EVDisconnected")
            outlet.unplug()
            self.report(outlet.connector)

    # --- transactions ---

    def authorized(self, connector: int, token: str, accepted: bool) -> None:
        """The answer about a card."""
        if accepted:
            self.begin(connector, token)

    def begin(self, connector: int, token: str) -> bool:
        """Begin to charge. False: no car, or something is against it."""
        outlet = self.outlets.get(connector)
        if outlet is None or outlet.car is None or outlet.session is not None or connector in self.inoperative:
            return False
        if not self.powered or not self._open or self._unbounded:
            return False
        outlet.look()
        session = outlet.session = Session(
            str(UUID(int=self.random.getrandbits(128), version=4)), connector, token, self.agenda.now_ms
        )
        self.reserved.pop(connector, None)
        self._event("begin", outlet, session, token=token)
        outlet.close(True)
        self.report(connector)
        self._plan_meter(outlet)
        return True

    def refused(self, session: Session) -> None:
        """The central system knows the transaction and does not want it."""
        outlet = self.outlets[session.connector]
        if outlet.session is session:
            self._end(outlet, "DeAuthorized")
            self.report(session.connector)

    def stop(self, session: Session | None, reason: str) -> bool:
        """End a transaction by order. False: it does not go on."""
        if session is None or session.end_ms:
            return False
        self._end(self.outlets[session.connector], reason)
        self.report(session.connector)
        return True

    def session(self, named: Callable[[Session], bool]) -> Session | None:
        """The session that goes on and is named so."""
        return next((one.session for one in self.outlets.values() if one.session and named(one.session)), None)

    def _end(self, outlet: Outlet, reason: str) -> None:
        session = outlet.session
        assert session is not None
        outlet.close(False)
        session.end_ms, session.reason = self.agenda.now_ms, reason
        self._event("end", outlet, session, word=reason)
        outlet.session = None
        self.limits.transaction_ended(outlet.connector)
        self._ended(self, session)

    def _plan_meter(self, outlet: Outlet) -> None:
        session, life = outlet.session, self._life

        def read() -> None:
            if outlet.session is session and life == self._life and session is not None:
                outlet.look()
                self._event("meter", outlet, session)
                self.report(outlet.connector)
                self.agenda.after(self.habits.meter_ms, self.name, read)

        self.agenda.after(self.habits.meter_ms * self.random.uniform(0.3, 1), self.name, read)

    def reset_register(self, outlet: Outlet) -> None:
        """The meter begins at zero again. It is read just before and just after: what it had counted is known."""
        outlet.look()
        if outlet.register_wh < RESET_WH_MIN:
            return
        if outlet.session is not None:
            self._event("meter", outlet, outlet.session)
        outlet.register_wh = 0
        if outlet.session is not None:
            self._event("meter", outlet, outlet.session)

    def _event(self, kind: Kind, outlet: Outlet, session: Session, word: str = "", token: str = "") -> None:
        self.queue.append(
            Notice(
                kind, self.said_ms, outlet.connector, session,
                Meter(outlet.register_wh, outlet.amps, outlet.car.voltage_v if outlet.car else 230.0, outlet.phases),
                word, token, not self.online, session.turn, self.status(outlet.connector),
            )
        )  # fmt: skip
        session.turn += 1
        self.on_change()

    # --- what it says of itself ---

    def status(self, connector: int) -> str:
        """In the words of 1.6."""
        if connector in self.inoperative:
            return "Unavailable"
        outlet = self.outlets.get(connector)
        if outlet is None or outlet.car is None:
            return "Reserved" if self._is_reserved(connector) else "Available"
        if outlet.session is None:
            return "Preparing"
        if outlet.full:
            return "SuspendedEV"
        return "Charging" if outlet.amps else "SuspendedEVSE"

    def _is_reserved(self, connector: int) -> bool:
        return connector in self.reserved and self.reserved[connector][2] > self.agenda.now_ms

    def report(self, connector: int) -> None:
        """Say a connector's status, if it is another than was said."""
        status = self.status(connector)
        if self.online and self.reported.get(connector) != status:
            self.reported[connector] = status
            self.word("status", connector=connector, word=status)

    def say(self, kind: Kind, connector: int = 0) -> None:
        """Say it now because somebody asked for it."""
        if kind == "status":
            self.reported.pop(connector, None)
            self.report(connector)
        elif kind == "meter" and (outlet := self.outlets.get(connector)) is not None and outlet.session is not None:
            outlet.look()
            self._event("meter", outlet, outlet.session)
        else:
            self.word(kind)

    def word(self, kind: Kind, connector: int = 0, word: str = "", token: str = "") -> None:
        """Say what does not belong to a transaction."""
        self.words.append(Notice(kind, self.said_ms, connector, word=word, token=token))
        self.on_change()

    def set_limit(self, profile: Profile | None) -> bool:
        """Keep a charging profile; it holds at once."""
        if profile is None or (profile.connector and profile.connector not in self.outlets):
            return False
        self.limits.set(profile)
        self.look()
        return True

    def look(self) -> None:
        """Bring all up to now, and say what has changed."""
        for outlet in self.outlets.values():
            outlet.look()
            if self.powered and outlet.session is not None:
                self.report(outlet.connector)
