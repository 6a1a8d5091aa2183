"""EVerest's API module: session, meter and telemetry as three JSON documents."""

from datetime import UTC, datetime

import msgspec

from simulators.vendors.message import Message, Order, Says, Stamp
from simulators.world.plan import DeviceSpec

_STATE = {
    "Available": "Unplugged",
    "Unavailable": "Disabled",
    "Preparing": "Preparing",
    "Reserved": "Reserved",
    "Charging": "Charging",
    "SuspendedEV": "ChargingPausedEV",
    "SuspendedEVSE": "ChargingPausedEVSE",
    "Finishing": "Finished",
    "Faulted": "Unplugged",
}


def _phases(says: Says, metric: str) -> dict[str, object]:
    return {f"L{phase}": says[f"{metric}_l{phase}"] for phase in (1, 2, 3)}


def _third(value: object) -> object:
    return value / 3 if isinstance(value, int | float) else value


def session_info(says: Says, stamp: Stamp) -> dict[str, object]:
    """``var/session_info``"""
    at = datetime.fromtimestamp(stamp.at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "charged_energy_wh": says.get("session_energy", 0),
        "charging_duration_s": says.get("session_duration", 0),
        "datetime": at,
        "discharged_energy_wh": 0,
        "latest_total_w": says.get("power_active_import", 0.0),
        "permanent_fault": says["connector_status"] == "Faulted",
        "state": _STATE[str(says["connector_status"])],
        "active_enable_disable_source": {"source": "Unspecified", "state": "Enable", "priority": 5000},
        "last_enable_disable_source": "Unspecified",
    }


def powermeter(says: Says, stamp: Stamp) -> dict[str, object]:
    """``var/powermeter``"""
    total_w, total_wh = says.get("power_active_import", 0.0), says.get("energy_active_import_register", 0.0)
    frequency = says.get("frequency", 50.0)
    each = ("L1", "L2", "L3")
    return {
        "current_A": {**_phases(says, "current_import"), "N": 0.2},
        "energy_Wh_import": {**dict.fromkeys(each, _third(total_wh)), "total": total_wh},
        "frequency_Hz": dict.fromkeys(each, frequency),
        "meter_id": "YETI_POWERMETER",
        "phase_seq_error": False,
        "power_W": {**dict.fromkeys(each, _third(total_w)), "total": total_w},
        "timestamp": stamp.at_ms / 1000,
        "voltage_V": _phases(says, "voltage"),
    }


def telemetry(says: Says) -> dict[str, object]:
    """``var/telemetry``"""
    document: dict[str, object] = {
        "fan_rpm": 0.0,
        "rcd_current": says.get("residual_current", 0.0),
        "relais_on": says.get("relay_on", False),
        "supply_voltage_12V": 11.95,
        "supply_voltage_minus_12V": -11.94,
    }
    if says.get("device_temperature") is not None:
        document["temperature"] = says["device_temperature"]
    return document


def encode(spec: DeviceSpec, says: Says, stamp: Stamp) -> list[Message]:
    """The documents for which there is something to say."""
    documents = []
    if "connector_status" in says:
        documents.append(("session_info", session_info(says, stamp)))
    if "current_import_l1" in says:
        documents.append(("powermeter", powermeter(says, stamp)))
    if says.get("device_temperature") is not None:
        documents.append(("telemetry", telemetry(says)))
    return [Message(f"everest_api/{spec.id}/var/{name}", msgspec.json.encode(body)) for name, body in documents]


def command_topics(device: str) -> tuple[str, ...]:
    """Pause, resume, limit."""
    base = f"everest_api/{device}/cmd"
    return (f"{base}/pause_charging", f"{base}/resume_charging", f"{base}/set_limit_amps")


def order(topic: str, payload: bytes) -> Order | None:
    """The command is the topic; the limit's payload is a number."""
    if topic.endswith("/pause_charging"):
        return Order("stop_charging", {})
    if topic.endswith("/resume_charging"):
        return Order("start_charging", {})
    try:
        return Order("set_current_limit", {"current": float(payload)})
    except ValueError:
        return None
