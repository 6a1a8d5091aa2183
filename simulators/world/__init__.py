"""The simulated world: deterministic, in virtual time, without clock, network or asyncio. One seed, one history."""

from simulators.world.device import DeviceSpec, Fact
from simulators.world.world import World

__all__ = ["DeviceSpec", "Fact", "World"]
