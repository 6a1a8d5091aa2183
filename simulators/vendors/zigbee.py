"""Devices behind Zigbee2MQTT: the SmartThings leak sensor and the Mijia smoke sensor. Their voltage is in mV."""

import msgspec

from contracts.reading import Value
from simulators.vendors.message import Message, Says, Stamp
from simulators.world.plan import DeviceSpec


def _millivolt(volts: Value | None) -> int:
    return round(volts * 1000) if isinstance(volts, int | float) else 0


def leak(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """This sensor's battery is a text."""
    battery = says.get("battery_level")
    document = {
        "battery": f"{battery:.2f}" if isinstance(battery, int | float) else None,
        "voltage": _millivolt(says.get("battery_voltage")),
        "linkquality": says.get("link_quality"),
        "temperature": says.get("temperature"),
        "water_leak": says.get("water_leak"),
    }
    return [Message(f"zigbee2mqtt/{spec.id}", msgspec.json.encode(document))]


def smoke(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """This one brings its device's description along."""
    document = {
        "battery": says.get("battery_level"),
        "voltage": _millivolt(says.get("battery_voltage")),
        "linkquality": says.get("link_quality"),
        "device": {
            "ieeeAddr": spec.id,
            "friendlyName": spec.id,
            "type": "EndDevice",
            "manufName": "LUMI",
            "powerSource": "Battery",
            "modelId": "lumi.sensor_smoke",
            "status": "online",
        },
        "smoke": says.get("smoke_alarm"),
    }
    return [Message(f"zigbee2mqtt/{spec.id}", msgspec.json.encode(document))]
