"""Devices on the local network: Tasmota meters and Shelly plugs."""

from datetime import UTC, datetime

import msgspec

from contracts.reading import Value
from simulators.vendors.message import Message, Order, Says, Stamp
from simulators.vendors.openevse import json_object
from simulators.world.plan import DeviceSpec


def _number(value: Value | None) -> float:
    return value if isinstance(value, int | float) else 0


def tasmota(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """``tele/<device>/SENSOR``; Tasmota writes local time without a zone."""
    at = datetime.fromtimestamp(stamp.at_ms / 1000 + 8 * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    power, volts, amps = (_number(says.get(name)) for name in ("power_active_import", "voltage", "current_import"))
    energy = {
        "TotalStartTime": "2025-01-01T00:00:00",
        "Total": round(_number(says.get("energy_active_import_register")) / 1000, 3),
        "Yesterday": 0,
        "Today": 0,
        "Period": 0,
        "Power": power,
        "ApparentPower": round(volts * amps),
        "ReactivePower": says.get("power_reactive_import", 0),
        "Factor": says.get("power_factor", 0),
        "Voltage": volts,
        "Current": amps,
    }
    return [Message(f"tele/{spec.id}/SENSOR", msgspec.json.encode({"Time": at, "ENERGY": energy}))]


def shelly(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """``<device>/status/switch:0``, second generation."""
    celsius = _number(says.get("device_temperature"))
    status = {
        "id": 0,
        "source": "init",
        "output": says.get("relay_on"),
        "apower": says.get("power_active_import"),
        "voltage": says.get("voltage"),
        "current": says.get("current_import"),
        "aenergy": {
            "total": says.get("energy_active_import_register"),
            "by_minute": [0.0, 0.0, 0.0],
            "minute_ts": stamp.at_ms // 60_000 * 60,
        },
        "temperature": {"tC": celsius, "tF": round(celsius * 1.8 + 32, 1)},
    }
    return [Message(f"{spec.id}/status/switch:0", msgspec.json.encode(status))]


def shelly_topics(device: str) -> tuple[str, ...]:
    """Remote procedure calls over MQTT."""
    return (f"{device}/rpc",)


def shelly_order(topic: str, payload: bytes) -> Order | None:
    """``{"method": "Switch.Set", "params": {"id": 0, "on": true}}``"""
    call = json_object(payload)
    params = call.get("params")
    if call.get("method") != "Switch.Set" or not isinstance(params, dict) or not isinstance(params.get("on"), bool):
        return None
    return Order("switch_on" if params["on"] else "switch_off", {})
