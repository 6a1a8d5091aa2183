"""The makers' payloads: the fixtures' bytes from the fixtures' facts, and what the gateway's profiles read back."""

import base64
import json
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from edge_agent.profiles import ProfileSet
from simulators.communities import GATEWAYS, demo_devices
from simulators.vendors import VENDORS, Order, Stamp, everest, lorawan, openevse, wifi, zigbee
from simulators.world import KIND_OF_MODEL, DeviceSpec, World
from simulators.world.rhythms import HOUR_MS

REPOSITORY = Path(__file__).parents[3]
START_MS = 1_767_542_400_000
STAMP = Stamp(START_MS, 7)

# Bytes from the makers' documentation and codecs (see the profiles' sources), with the facts that they carry.
FRAMES: list[tuple[Any, dict[str, Any], int, str]] = [
    (lorawan.nwave_frame, {"spot_status": "occupied", "previous_state_duration": 74}, 1, "lQ=="),
    (lorawan.nwave_frame, {"spot_status": "free", "firmware_version": "2.4.9", "reset_cause": "power_on"}, 3, "AgQJAgA="),
    (
        lorawan.em400_frame,
        {"battery_level": 92, "temperature": 25.7, "fill_distance": 2116, "tilt_alarm": True},
        85,
        "AXVcA2cBAQSCRAgFAAE=",
    ),
    (
        lorawan.em400_frame,
        {"temperature": 23.2, "temperature_alarm": True, "fill_distance": 1601, "full_alarm": True},
        85,
        "g2foAAGEgkEGAQ==",
    ),
    (
        lorawan.am319_frame,
        {
            "temperature": 23.8, "humidity": 62.0, "motion": True, "light_level": 2, "co2": 936, "tvoc_index": 0.37,
            "pressure": 1008.6, "hcho": 70, "pm2_5": 32, "pm10": 48,
        },
        85,
        None,
    ),
    (
        lorawan.ers2_frame,
        {
            "temperature": 22.6, "humidity": 41, "illuminance": 39, "motion_count": 6, "co2": 776,
            "battery_voltage": 3.426,
        },
        85,
        "AQDiAikEACcFBgYDCAcNYg==",
    ),
    (
        lorawan.df702_frame,
        {"fill_distance": 2000, "temperature": 25, "full_alarm": False, "tilt_angle": 0},
        3,
        "gAABAREH0AAZAAAAAAAAAIE=",
    ),
]  # fmt: skip
AM319 = "A2fuAARofAUAAQbLAgd9qAMIfSUACXNmJwp9BwALfSAADH0wAA=="


@pytest.mark.parametrize(("frame", "facts", "port", "expected"), FRAMES)
def test_the_makers_bytes_from_their_facts(frame: Any, facts: dict[str, Any], port: int, expected: str | None) -> None:
    got_port, data = frame(facts)
    assert (got_port, base64.b64encode(data).decode()) == (port, expected or AM319)


def test_nwave_heartbeat() -> None:
    # The source's frame carries three bytes more, which its codec does not name.
    port, data = lorawan.nwave_frame({"spot_status": "free", "temperature": -10, "battery_voltage": 3.344})
    assert (port, data) == (2, base64.b64decode("ANPYAFkL")[:3])


def test_nwave_durations_are_those_of_the_layout() -> None:
    assert [lorawan.nwave_minutes(m) for m in (0, 89, 90, 94, 95, 239, 240, 299, 300, 600, 660, None)] == [
        0, 89, 90, 90, 91, 119, 120, 120, 121, 126, 127, 127,
    ]  # fmt: skip


def _spec(model: str, name: str) -> DeviceSpec:
    return DeviceSpec(name, model, "gw", "facility", "thing", "设备", "Device")


def test_openevse_scalars_are_the_documented_ones() -> None:
    says = {"connector_status": "Faulted", "error_code": "GroundFailure", "device_temperature": 24.7, "frequency": 50.0}
    messages = {m.topic: m.payload for m in openevse.encode(_spec("openevse", "openevse-7b2c"), says, STAMP)}
    assert messages == {
        "openevse-7b2c/state": b"7",
        "openevse-7b2c/temp": b"247",
        "openevse-7b2c/frequency": b"5000",
    }
    invalid = openevse.encode(_spec("openevse", "openevse-7b2c"), {"device_temperature": None}, STAMP)
    assert [m.payload for m in invalid] == [b"false"]


def test_json_documents_have_the_makers_keys() -> None:
    session = everest.session_info({"connector_status": "Available", "session_duration": 84}, STAMP)
    assert session["state"] == "Unplugged"
    assert {
        "charged_energy_wh",
        "charging_duration_s",
        "datetime",
        "latest_total_w",
        "permanent_fault",
    } <= session.keys()
    sensor = json.loads(
        wifi.tasmota(
            _spec("tasmota-pow", "pow1"),
            {
                "power_active_import": 2635, "energy_active_import_register": 6294, "voltage": 227,
                "current_import": 11.661, "power_factor": 0.99, "power_reactive_import": 282,
            },
            STAMP,
        )[0].payload
    )["ENERGY"]  # fmt: skip
    expected = {"Total": 6.294, "Power": 2635, "ReactivePower": 282, "Factor": 0.99, "Voltage": 227, "Current": 11.661}
    assert expected.items() <= sensor.items()
    leak = {"battery_level": 80, "battery_voltage": 2.9, "link_quality": 0, "temperature": 27.35, "water_leak": True}
    assert json.loads(zigbee.leak(_spec("zigbee-leak", "0x1"), leak, STAMP)[0].payload) == {
        "battery": "80.00", "voltage": 2900, "linkquality": 0, "temperature": 27.35, "water_leak": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "topic", "payload", "order"),
    [
        ("openevse", "o/override/set", b'{"state":"disabled"}', Order("stop_charging", {})),
        ("openevse", "o/override/set", b'{"state":"active"}', Order("start_charging", {})),
        ("openevse", "o/claim/set", b'{"charge_current": 16}', Order("set_current_limit", {"current": 16})),
        ("openevse", "o/claim/set", b'{"charge_current": true}', None),
        ("openevse", "o/claim/set", b"[1", None),
        ("everest", "everest_api/e/cmd/pause_charging", b"", Order("stop_charging", {})),
        ("everest", "everest_api/e/cmd/set_limit_amps", b"10.5", Order("set_current_limit", {"current": 10.5})),
        ("everest", "everest_api/e/cmd/set_limit_amps", b"much", None),
        ("shelly-plug", "s/rpc", b'{"method":"Switch.Set","params":{"id":0,"on":false}}', Order("switch_off", {})),
        ("shelly-plug", "s/rpc", b'{"method":"Switch.Toggle"}', None),
        ("linli-barrier", "x", b'{"barrier":"closed"}', Order("close_barrier", {})),
        ("linli-compactor", "x", b'{"compactor":"compact"}', Order("compact", {})),
        ("linli-thermostat", "x", b'{"setpoint_temperature":21.5}', Order("set_temperature", {"temperature": 21.5})),
        ("linli-valve", "x", b'{"valve_open":false}', Order("close_valve", {})),
        ("linli-valve", "x", b"null", None),
        ("nwave-nps", "x", b"{}", None),
    ],
)
def test_orders_are_understood_and_the_rest_is_not(model: str, topic: str, payload: bytes, order: Order | None) -> None:
    assert VENDORS[model].order(topic, payload) == order


@cache
def _profiles() -> ProfileSet:
    return ProfileSet.load([REPOSITORY / "contracts" / "profiles"])


def _rounded(samples: Any) -> dict[str, Any]:
    """Floats to nine digits: a profile's unit factor costs the last bit."""
    return {metric: float(f"{v:.9g}") if isinstance(v, float) else v for metric, v in samples.items()}


def test_what_the_demo_says_is_what_the_gateway_reads() -> None:
    """decode(encode(says)) == says, for every word of every device of the demo through half a day."""
    specs = {spec.id: spec for spec in demo_devices()}
    world = World(demo_devices(), 1, START_MS)
    models = set()
    for event in chain(world.present(), world.run_until(START_MS + 12 * HOUR_MS)):
        if not event.says:
            continue
        read: dict[str, Any] = {}
        for message in VENDORS[event.model].encode(specs[event.device], event.says, STAMP):
            for decoded in _profiles().decode(message.topic, message.payload, START_MS):
                assert decoded.kind == KIND_OF_MODEL[event.model]
                for reading in decoded.readings:
                    assert reading.device == event.device
                    read |= {sample.metric: sample.value for sample in reading.samples}
        assert _rounded(read) == _rounded(event.says), (event.model, event.device)
        models.add(event.model)
    assert models == VENDORS.keys()


@pytest.mark.parametrize(
    ("model", "verbs"),
    [
        ("openevse", {"stop_charging", "start_charging", "set_current_limit"}),
        ("linli-barrier", {"open_barrier", "close_barrier"}),
        ("linli-compactor", {"compact"}),
        ("linli-thermostat", {"set_temperature"}),
        ("linli-valve", {"open_valve", "close_valve"}),
        ("shelly-plug", {"switch_on", "switch_off"}),
    ],
)
def test_orders_that_the_gateway_writes_are_understood(model: str, verbs: set[str]) -> None:
    """Every command of a device's profile is an order of the device's, on a topic where it listens."""
    args = {"set_current_limit": {"current": 10}, "set_temperature": {"temperature": 21}}
    spec = next(spec for spec in demo_devices() if spec.model == model)
    says = {event.device: event.says for event in World(demo_devices(), 1, START_MS).present()}[spec.id]
    message = VENDORS[model].encode(spec, says, STAMP)[0]
    decoded = _profiles().decode(message.topic, message.payload, START_MS)[0]
    assert set(decoded.verbs) == verbs
    for verb in verbs:
        action = _profiles().action(decoded.profile, spec.id, verb, args.get(verb, {}))
        assert action.topic in VENDORS[model].command_topics(spec.id)
        assert VENDORS[model].order(action.topic, action.payload) == Order(verb, args.get(verb, {}))


def test_the_demo_has_what_it_promises() -> None:
    devices = demo_devices()
    count = {kind: sum(KIND_OF_MODEL[d.model] == kind for d in devices) for kind in set(KIND_OF_MODEL.values())}
    assert count == {"parking": 62, "charging": 12, "waste": 10, "building": 30}
    assert {d.gateway for d in devices} == {gateway.id for gateway in GATEWAYS}
    assert len({d.id for d in devices}) == len(devices)
    assert all(d.zh and d.en for d in devices)
