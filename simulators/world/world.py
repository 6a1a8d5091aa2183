"""The world: devices on one event queue, in virtual time. Same seed and devices: the same history, byte for byte."""

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulators.world.building import LeakSensor, PowerMeter, RoomAir, SmokeSensor, Thermostat, WaterValve
from simulators.world.charging import ChargingPile
from simulators.world.device import DeviceSpec, Fact, SimulatedDevice
from simulators.world.parking import Barrier, ParkingPlace
from simulators.world.waste import Bin, Compactor

MODELS: Mapping[str, type[SimulatedDevice]] = {
    "parking-nwave": ParkingPlace,
    "barrier": Barrier,
    "pile-openevse": ChargingPile,
    "pile-everest": ChargingPile,
    "bin-milesight": Bin,
    "bin-dingtek": Bin,
    "compactor": Compactor,
    "air-milesight": RoomAir,
    "air-elsys": RoomAir,
    "meter-tasmota": PowerMeter,
    "plug-shelly": PowerMeter,
    "leak-zigbee": LeakSensor,
    "smoke-zigbee": SmokeSensor,
    "thermostat": Thermostat,
    "valve": WaterValve,
}


class World:
    """Devices and their time. Begins at ``begin_ms`` of virtual time, at which every device has spoken once."""

    def __init__(self, seed: int, specs: Sequence[DeviceSpec], begin_ms: int = 0) -> None:
        self.now_ms = begin_ms
        self._devices = {spec.id: MODELS[spec.model](spec, seed, begin_ms) for spec in specs}
        self._places = {name: place for place, name in enumerate(self._devices)}
        # (time, place in the list, generation): the generation outdates an entry when a command changed the plan
        self._queue: list[tuple[int, int, str, int]] = []
        self._generation = dict.fromkeys(self._devices, 0)
        self._first: list[Fact] = []
        for name, device in self._devices.items():
            device.speak(begin_ms)
            self._first += self._take(device)
            self._plan(name, device.wake(begin_ms))
            self._first += self._take(device)

    def _plan(self, name: str, at_ms: int) -> None:
        self._generation[name] += 1
        heapq.heappush(self._queue, (max(at_ms, self.now_ms + 1), self._places[name], name, self._generation[name]))

    @staticmethod
    def _take(device: SimulatedDevice) -> list[Fact]:
        spoken, device.spoken = device.spoken, []
        return spoken

    @property
    def next_ms(self) -> int:
        """When something happens next."""
        return self.now_ms if self._first else self._queue[0][0]

    def run_until(self, end_ms: int) -> Iterator[Fact]:
        """What is said up to ``end_ms``, in order of time."""
        first, self._first = self._first, []
        yield from first
        while self._queue and self._queue[0][0] <= end_ms:
            at_ms, _, name, generation = heapq.heappop(self._queue)
            if generation != self._generation[name]:
                continue
            self.now_ms = at_ms
            device = self._devices[name]
            self._plan(name, device.wake(at_ms))
            yield from self._take(device)
        self.now_ms = max(self.now_ms, end_ms)

    def command(self, device: str, verb: str, args: Mapping[str, Any]) -> list[Fact]:
        """Somebody tells a device something, now. Returns what it says."""
        told = self._devices.get(device)
        if told is None:
            return []
        following = told.obey(self.now_ms, verb, args)
        if following is not None:
            self._plan(device, following)
        return self._take(told)


def event_line(fact: Fact) -> str:
    """A fact as a line of the event log."""
    return json.dumps(
        {"t_ms": fact.t_ms, "device": fact.device, "says": fact.says, "truth": fact.truth, "condition": fact.condition},
        separators=(",", ":"),
    )
