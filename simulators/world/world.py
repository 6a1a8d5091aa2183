"""The world: things, the devices that look at them, and virtual time. No wall clock, no I/O, nothing global."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from simulators.world import plan as plans
from simulators.world.agenda import Agenda
from simulators.world.charge_point import ChargePoint
from simulators.world.device import Device, Event
from simulators.world.devices import DEVICES
from simulators.world.faults import Faults
from simulators.world.plan import DeviceSpec
from simulators.world.streams import stream
from simulators.world.things import Air, Bin, Gate, Load, Place, Room, Thing, Water

THINGS: Mapping[str, Callable[[str, Agenda, Random], Thing]] = {
    "nwave-nps": Place,
    "linli-barrier": Gate,
    "openevse": lambda name, agenda, random: ChargePoint(name, agenda, random, phases=1),
    "everest": lambda name, agenda, random: ChargePoint(name, agenda, random, phases=3),
    "milesight-em400": Bin,
    "dingtek-df702": Bin,
    "linli-compactor": Bin,
    "milesight-am319": Room,
    "elsys-ers2": Room,
    "linli-thermostat": Room,
    "tasmota-pow": Load,
    "shelly-plug": Load,
    "zigbee-leak": Water,
    "linli-valve": Water,
    "zigbee-smoke": Air,
}
"""What a model looks at. The first device of a thing makes it; the others of the same kind see the same one."""


class World:
    """A world of ``plan``'s devices under ``seed``, from ``start_ms`` (virtual, ms UTC) on.

    The same arguments and the same calls give the same events, in every process. Raises ValueError for a bad plan.
    """

    def __init__(self, plan: Sequence[DeviceSpec], seed: int, start_ms: int) -> None:
        plans.check(plan)
        self._agenda = Agenda(start_ms)
        self._spoken: list[Event] = []
        self._things: dict[str, Thing] = {}
        self._devices: dict[str, Device] = {}
        for spec in plan:
            self._devices[spec.id] = self._device(spec, seed, start_ms)

    def _device(self, spec: DeviceSpec, seed: int, start_ms: int) -> Device:
        make = THINGS[spec.model]
        thing = self._things.get(spec.thing)
        if thing is None:
            thing = self._things[spec.thing] = make(spec.thing, self._agenda, stream(seed, "thing", spec.thing))
        elif not (isinstance(make, type) and isinstance(thing, make)) and not _sees(spec.model, thing):
            raise ValueError(f"device {spec.id}: {spec.thing} is a {type(thing).__name__} already")
        model = DEVICES[spec.model]
        faults = Faults(model.FAULTS, stream(seed, "faults", spec.id), start_ms)
        device = model(spec, self._agenda, stream(seed, "device", spec.id), faults, self._spoken.append)
        device.thing = thing
        thing.watch(device.notice)
        return device

    @property
    def now_ms(self) -> int:
        """Virtual time, ms UTC."""
        return self._agenda.now_ms

    def next_ms(self) -> int | None:
        """When something happens next; None: never again."""
        return self._agenda.next_ms()

    def run_until(self, end_ms: int) -> Iterator[Event]:
        """What devices say up to and including ``end_ms``, in order. Virtual time is there when it is exhausted."""
        agenda, spoken = self._agenda, self._spoken
        yield from self._take_spoken()
        while (next_ms := agenda.next_ms()) is not None and next_ms <= end_ms:
            agenda.take()()
            if spoken:
                yield from self._take_spoken()
        agenda.now_ms = max(agenda.now_ms, end_ms)

    def _take_spoken(self) -> list[Event]:
        spoken = self._spoken[:]
        self._spoken.clear()
        return spoken

    def measured(self) -> dict[str, dict[str, float]]:
        """Device -> what an installer measures on site, for those where there is something to measure."""
        return {name: found for name, device in self._devices.items() if (found := device.measured())}

    def present(self) -> list[Event]:
        """What each device would say now, in the plan's order; nothing moves."""
        return [device.event("start", device.true()) for device in self._devices.values()]

    def command(self, device: str, verb: str, args: Mapping[str, Any]) -> bool:
        """Tell a device to do something now; what follows comes out of ``run_until``.

        False: no such device, it cannot be heard, it does not know the verb, or it refuses.
        """
        known = self._devices.get(device)
        if known is None:
            return False
        fault = known.event("command", {}).fault
        if fault == "silent":
            return False
        spoken = len(self._spoken)
        if not known.obey(verb, args):
            return False
        if len(self._spoken) == spoken:  # its thing did not move, but it answers all the same
            known.say("command", known.true())
        return True


def _sees(model: str, thing: Thing) -> bool:
    """A sensor in the ground of a charging bay looks at the charge point's cars."""
    return model == "nwave-nps" and isinstance(thing, ChargePoint)
