"""Every kind of command, to a simulated device of the running system: it ends confirmed by telemetry."""

import uuid
from typing import Any

import pytest

from tests.processes import wait_for
from tests.system import RunningSystem

# verb, arguments, what must hold of the device's state before it is told
ORDERS = [
    ("set_current_limit", {"current": 13}, {}),
    ("stop_charging", {}, {"connector_status": "Charging"}),
    ("open_barrier", {}, {}),
    ("compact", {}, {"compactor_state": "idle"}),
    ("set_temperature", {"temperature": 23.5}, {}),
    ("close_valve", {}, {"valve_open": True}),
    ("open_valve", {}, {"valve_open": False}),
    ("switch_off", {}, {"relay_on": True}),
]


def call(system: RunningSystem, path: str, body: object = None) -> Any:
    return system.ask(path, body, Idempotency_Key=uuid.uuid4().hex)


def device_for(system: RunningSystem, verb: str, before: dict[str, object]) -> dict[str, Any] | None:
    for device in call(system, "devices?limit=1000")["items"]:
        if device["profile"].startswith("ocpp/"):
            continue  # where nobody charges they say nothing of their limit, so nothing would confirm it
        if verb in device["verbs"]:
            state = call(system, f"devices/{device['id']}/state")["metrics"]
            if all(name in state and state[name]["value"] == value for name, value in before.items()):
                return dict(device)
    return None


@pytest.mark.parametrize(("verb", "args", "before"), ORDERS, ids=[order[0] for order in ORDERS])
def test_a_command_ends_confirmed(
    running_system: RunningSystem, verb: str, args: dict[str, float], before: dict[str, object]
) -> None:
    device = wait_for(lambda: device_for(running_system, verb, before), f"a device that can {verb}", 60, 0.5)
    selection = call(running_system, f"devices/{device['id']}/selections", {"verb": verb, "args": args})
    order = {"verb": verb, "args": args, "selection": selection["id"]}
    command = call(running_system, f"devices/{device['id']}/commands", order)

    def confirmed() -> dict[str, Any] | None:
        now = call(running_system, f"commands/{command['id']}")
        assert now["state"] not in ("failed", "rejected", "expired", "unknown", "cancelled"), now
        return now if now["state"] == "confirmed" else None

    done = wait_for(confirmed, f"{verb} to be confirmed", 30, 0.1)
    sources = {step["state"]: step["source"] for step in done["transitions"]}
    assert sources["received"] == "gateway"
    assert sources["succeeded"] == "device"
    assert sources["confirmed"] == "telemetry"
