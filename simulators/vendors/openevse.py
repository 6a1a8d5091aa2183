"""OpenEVSE: one topic a value, and the topics on which it takes orders."""

from collections.abc import Callable
from typing import Any

import msgspec

from contracts.reading import Value
from simulators.vendors.message import Message, Order, Says, Stamp
from simulators.world.plan import DeviceSpec

_STATE = {"Available": 1, "Preparing": 2, "Charging": 3, "SuspendedEVSE": 254, "Unavailable": 255}
_FAULT = {
    "OtherError": 4,
    "EVCommunicationError": 5,
    "GroundFailure": 7,
    "PowerSwitchFailure": 8,
    "HighTemperature": 10,
    "OverCurrentFailure": 11,
}


def state_of(says: Says) -> int:
    """The number on ``<base>/state``."""
    if says.get("connector_status") == "Faulted":
        return _FAULT.get(str(says.get("error_code")), 4)
    return _STATE[str(says["connector_status"])]


def _scaled(factor: float) -> Callable[[Value], str]:
    return lambda value: str(round(float(value) * factor))


_SCALARS: tuple[tuple[str, str, Callable[[Value], str]], ...] = (  # metric, topic, the text
    ("plugged", "vehicle", lambda value: "1" if value else "0"),
    ("current_import", "amp", _scaled(1000)),
    ("voltage", "voltage", _scaled(1)),
    ("power_active_import", "power", _scaled(1)),
    ("current_offered", "pilot", _scaled(1)),
    ("frequency", "frequency", _scaled(100)),
    ("device_temperature", "temp", _scaled(10)),
    ("session_energy", "session_energy", _scaled(1)),
    ("session_duration", "session_elapsed", _scaled(1)),
    ("energy_active_import_register", "total_energy", lambda value: f"{float(value) / 1000:.3f}"),
)


def encode(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """A message for each value said; ``false`` for a value that is not valid."""
    messages = []
    if says.get("connector_status") is not None:
        messages.append(Message(f"{spec.id}/state", str(state_of(says)).encode()))
    for metric, topic, text in _SCALARS:
        if metric in says:
            value = says[metric]
            messages.append(Message(f"{spec.id}/{topic}", b"false" if value is None else text(value).encode()))
    return messages


def command_topics(device: str) -> tuple[str, ...]:
    """Override: on or off. Claim: the current."""
    return (f"{device}/override/set", f"{device}/claim/set")


def order(topic: str, payload: bytes) -> Order | None:
    """``{"state": "active"|"disabled"}`` and ``{"charge_current": A}``."""
    document = json_object(payload)
    if topic.endswith("/override/set"):
        verb = {"active": "start_charging", "disabled": "stop_charging"}.get(str(document.get("state")))
        return None if verb is None else Order(verb, {})
    current = document.get("charge_current")
    if isinstance(current, bool) or not isinstance(current, int | float):
        return None
    return Order("set_current_limit", {"current": current})


def json_object(payload: bytes) -> dict[str, Any]:
    """The JSON object of a message; an empty one when it is something else."""
    try:
        document = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return {}
    return document if isinstance(document, dict) else {}
