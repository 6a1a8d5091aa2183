"""Linli's open device payloads: barrier, compactor, thermostat, valve: one retained JSON state, one topic for orders."""

import msgspec

from simulators.vendors.message import Message, Order, Says, Stamp
from simulators.vendors.openevse import json_object
from simulators.world.plan import DeviceSpec

BARRIER = "linli-device/barrier"
COMPACTOR = "linli-device/compactor"
THERMOSTAT = "linli-device/thermostat"
VALVE = "linli-device/valve"


def _state(base: str, spec: DeviceSpec, says: Says) -> list[Message]:
    document = {metric: value for metric, value in says.items() if value is not None}
    return [Message(f"{base}/{spec.id}/state", msgspec.json.encode(document), retain=True)]


def barrier(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """``linli-device/barrier/<id>/state``"""
    return _state(BARRIER, spec, says)


def compactor(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """``linli-device/compactor/<id>/state``"""
    return _state(COMPACTOR, spec, says)


def thermostat(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """``linli-device/thermostat/<id>/state``"""
    return _state(THERMOSTAT, spec, says)


def valve(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """``linli-device/valve/<id>/state``"""
    return _state(VALVE, spec, says)


def barrier_topics(device: str) -> tuple[str, ...]:
    """Where the barrier takes orders."""
    return (f"{BARRIER}/{device}/set",)


def compactor_topics(device: str) -> tuple[str, ...]:
    """Where the compactor takes orders."""
    return (f"{COMPACTOR}/{device}/set",)


def thermostat_topics(device: str) -> tuple[str, ...]:
    """Where the thermostat takes orders."""
    return (f"{THERMOSTAT}/{device}/set",)


def valve_topics(device: str) -> tuple[str, ...]:
    """Where the valve takes orders."""
    return (f"{VALVE}/{device}/set",)


def order(topic: str, payload: bytes) -> Order | None:
    """``{"barrier": "open"}``, ``{"compactor": "compact"}``, ``{"setpoint_temperature": 21}``, ``{"valve_open": true}``"""
    document = json_object(payload)
    if document.get("barrier") in ("open", "closed"):
        return Order("open_barrier" if document["barrier"] == "open" else "close_barrier", {})
    if document.get("compactor") == "compact":
        return Order("compact", {})
    setpoint = document.get("setpoint_temperature")
    if isinstance(setpoint, int | float) and not isinstance(setpoint, bool):
        return Order("set_temperature", {"temperature": setpoint})
    if isinstance(document.get("valve_open"), bool):
        return Order("open_valve" if document["valve_open"] else "close_valve", {})
    return None
