"""What a vendor is to the driver: how its devices write what they say, and how they read their orders."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from contracts.reading import Value
from simulators.world.plan import DeviceSpec

Says = Mapping[str, Value | None]


class Message(NamedTuple):
    """One MQTT message of a device."""

    topic: str
    payload: bytes
    retain: bool = False


class Stamp(NamedTuple):
    """What a message carries beside its values.

    at_ms   the device's or network server's clock, ms UTC
    number  the device's uplink counter
    """

    at_ms: int
    number: int


class Order(NamedTuple):
    """A command as the world knows it: a verb of ``contracts.verbs`` and its arguments."""

    verb: str
    args: dict[str, Any]


def no_topics(device: str) -> tuple[str, ...]:
    """For devices that take no commands."""
    return ()


def no_order(topic: str, payload: bytes) -> Order | None:
    """For devices that take no commands."""
    return None


class Vendor(NamedTuple):
    """One maker's way to speak.

    encode(spec, says, stamp)  the messages for what a device says, values in the vocabulary's units; None is the
                               maker's marker for "no valid value", or nothing where the maker has none
    command_topics(device)     the topics on which the device takes orders
    order(topic, payload)      the order in a message on one of them; None when the device would not understand it
    """

    encode: Callable[[DeviceSpec, Says, Stamp], list[Message]]
    command_topics: Callable[[str], tuple[str, ...]] = no_topics
    order: Callable[[str, bytes], Order | None] = no_order
