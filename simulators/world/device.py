"""A device: looks at its thing, says what its instrument can say, now and then wrongly, and obeys commands."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Literal, NamedTuple

from contracts.reading import Value
from simulators.world.agenda import Agenda
from simulators.world.faults import FaultKind, Faults, Says
from simulators.world.plan import DeviceSpec
from simulators.world.rhythms import MINUTE_MS
from simulators.world.things import Thing

Cause = Literal["start", "period", "change", "command"]


class Event(NamedTuple):
    """One utterance of a device, with the truth beside it.

    at_ms  virtual time, ms UTC
    cause  why it spoke
    says   metric -> value in the vocabulary's unit; None is the maker's marker for "no valid value"; {} is silence
    true   the same metrics as they really are
    fault  "" or the kind of fault that the device has now
    """

    at_ms: int
    device: str
    model: str
    cause: Cause
    says: Says
    true: dict[str, Value]
    fault: str


Speak = Callable[[Event], None]


class Device:
    """What all devices have in common. A model says how often it speaks, what, and what it obeys."""

    thing: Thing
    PERIOD_MS = 10 * MINUTE_MS
    FAULTS: tuple[FaultKind, ...] = ()

    def __init__(self, spec: DeviceSpec, agenda: Agenda, random: Random, faults: Faults, speak: Speak) -> None:
        self.spec = spec
        self.agenda = agenda
        self.random = random
        self._faults = faults
        self._speak = speak
        self._said_ms = agenda.now_ms - 1
        self.battery_percent = random.uniform(35, 100)
        agenda.after(random.uniform(0, self.PERIOD_MS), spec.id, self._period)

    def true(self) -> dict[str, Value]:
        """All that the device can tell, as it is, in the instrument's resolution."""
        raise NotImplementedError

    def measured(self) -> dict[str, float]:
        """What an installer measures on site so that its values can be read: parameters of the device."""
        return {}

    def on_change(self) -> dict[str, Value]:
        """What it tells when its thing changed."""
        return self.true()

    def period_ms(self) -> float:
        """How long until it speaks again by itself."""
        return self.PERIOD_MS

    def obey(self, verb: str, args: Mapping[str, Any]) -> bool:
        """Do it. False: the device does not know the verb, or refuses."""
        return False

    def event(self, cause: Cause, true: dict[str, Value]) -> Event:
        """The utterance now, with the faults that the device has."""
        now_ms = self.agenda.now_ms
        fault = self._faults.now(now_ms)
        says = self._faults.told(true, fault, now_ms)
        return Event(now_ms, self.spec.id, self.spec.model, cause, says, true, fault.name if fault else "")

    def say(self, cause: Cause, true: dict[str, Value]) -> None:
        """Speak."""
        event = self.event(cause, true)
        if not event.fault:
            self._faults.remember(true)
        self._speak(event)

    def notice(self) -> None:
        """Its thing changed."""
        self.say("change", self.on_change())

    def _period(self) -> None:
        self.battery_percent = max(3.0, self.battery_percent - self.period_ms() / MINUTE_MS * 1e-5)
        self.say("period", self.true())
        self.agenda.after(self.period_ms() * self.random.uniform(0.97, 1.03), self.spec.id, self._period)
