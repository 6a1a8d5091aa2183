"""The deterministic world: one seed, virtual time; people, cars, bins, rooms, and devices that are not always right."""

from simulators.world.device import Event
from simulators.world.event_log import event_line
from simulators.world.plan import KIND_OF_MODEL, DeviceSpec, plan_of
from simulators.world.world import World

__all__ = ["KIND_OF_MODEL", "DeviceSpec", "Event", "World", "event_line", "plan_of"]
