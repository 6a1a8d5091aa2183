"""The world's facts: what follows from commands, and what makes two worlds the same."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulators.world import DeviceSpec, Event, World, event_line, plan_of
from simulators.world.faults import FaultKind, Faults
from simulators.world.rhythms import HOUR_MS, MINUTE_MS
from simulators.world.streams import stream

START_MS = 1_767_542_400_000
REPOSITORY = Path(__file__).parents[3]


def _log(devices: int, seed: int, hours: float) -> bytes:
    world = World(plan_of(devices), seed, START_MS)
    return b"".join(map(event_line, world.run_until(START_MS + int(hours * HOUR_MS))))


def _spec(model: str, name: str = "device-1", thing: str = "thing-1") -> DeviceSpec:
    return DeviceSpec(name, model, "gw-1", "facility-1", thing, "设备", "Device")


def _said(events: list[Event], metric: str) -> list[Any]:
    return [event.true[metric] for event in events if metric in event.true]


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    assert _log(200, 7, 6) == _log(200, 7, 6)
    assert _log(200, 7, 6) != _log(200, 8, 6)


def test_same_bytes_in_other_processes_whatever_the_hash_seed() -> None:
    digests = set()
    for hash_seed in ("0", "1", "4242"):
        command = [sys.executable, "-m", "simulators.cli", "world", "--seed", "5", "--devices", "150", "--hours", "3"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [*command, "--out", "-"], env=environment, cwd=REPOSITORY, capture_output=True, check=True
        )
        digests.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(digests) == 1
    assert digests == {hashlib.sha256(_log(150, 5, 3)).hexdigest()}


def test_taking_the_day_in_pieces_changes_nothing() -> None:
    world = World(plan_of(120), 3, START_MS)
    pieces = b"".join(
        event_line(event)
        for minute in range(0, 6 * 60 + 1, 7)
        for event in world.run_until(START_MS + minute * MINUTE_MS)
    )
    assert _log(120, 3, 6).startswith(pieces)
    assert len(pieces) > 10_000


def test_another_device_changes_no_other() -> None:
    few = _log(100, 11, 6)
    more = _log(150, 11, 6)
    names = {f'"device":"{spec.id}"'.encode() for spec in plan_of(100)}
    kept = b"".join(line for line in more.splitlines(keepends=True) if line.split(b",")[1] in names)
    assert kept == few


def test_present_moves_nothing() -> None:
    looked_at, left_alone = World(plan_of(100), 2, START_MS), World(plan_of(100), 2, START_MS)
    assert len(looked_at.present()) == 100
    end_ms = START_MS + 2 * HOUR_MS
    assert list(looked_at.run_until(end_ms)) == list(left_alone.run_until(end_ms))


def test_a_pile_stops_starts_and_keeps_to_its_limit() -> None:
    for seed in range(50):
        world = World([_spec("openevse")], seed, START_MS)
        list(world.run_until(START_MS + 10 * MINUTE_MS))
        if world.present()[0].true["connector_status"] == "Charging":
            break
    assert world.command("device-1", "set_current_limit", {"current": 10})
    limited = list(world.run_until(world.now_ms + MINUTE_MS))
    assert _said(limited, "current_offered")[-1] == 10
    assert 0 < _said(limited, "current_import")[-1] <= 10
    assert world.command("device-1", "stop_charging", {})
    stopped = list(world.run_until(world.now_ms + 10 * MINUTE_MS))
    assert set(_said(stopped, "connector_status")) == {"Unavailable"}
    register = _said(stopped, "energy_active_import_register")
    assert register[0] == register[-1]
    assert world.command("device-1", "start_charging", {})
    assert _said(list(world.run_until(world.now_ms)), "connector_status")[-1] == "Charging"
    assert not world.command("device-1", "set_current_limit", {"current": 4})


def test_a_barrier_opens_then_is_open_and_never_closes_onto_a_car() -> None:
    world = World([_spec("linli-barrier")], 1, START_MS)
    assert world.command("device-1", "open_barrier", {})
    states = _said(list(world.run_until(world.now_ms + 3_000)), "barrier_state")
    assert states == ["opening", "open"]
    assert world.command("device-1", "close_barrier", {})
    assert _said(list(world.run_until(world.now_ms + 3_000)), "barrier_state") == ["closing", "closed"]
    for event in world.run_until(START_MS + 12 * HOUR_MS):
        if event.true["vehicle_present"]:
            assert not world.command("device-1", "close_barrier", {})
            return
    pytest.fail("no car came in twelve hours")


def test_a_compactor_presses_and_counts() -> None:
    world = World([_spec("linli-compactor")], 1, START_MS)
    before = world.present()[0].true
    assert world.command("device-1", "compact", {})
    assert not world.command("device-1", "compact", {}), "it is at it already"
    events = list(world.run_until(world.now_ms + 20_000))
    assert _said(events, "compactor_state")[:2] == ["compacting", "idle"]
    assert events[-1].true["compaction_count"] == int(before["compaction_count"]) + 1
    assert float(events[-1].true["fill_level"]) < float(before["fill_level"])


def test_a_set_point_moves_the_room_that_another_device_sees() -> None:
    plan = [_spec("linli-thermostat", "heating", "room"), _spec("milesight-am319", "air", "room")]
    warm, cold = (World(plan, 4, START_MS) for _ in range(2))
    assert warm.command("heating", "set_temperature", {"temperature": 25})
    assert cold.command("heating", "set_temperature", {"temperature": 10})
    assert not cold.command("heating", "set_temperature", {"temperature": 40})
    end_ms = START_MS + 3 * HOUR_MS
    seen = [[e for e in world.run_until(end_ms) if e.device == "air"][-1].true["temperature"] for world in (warm, cold)]
    assert float(seen[0]) > float(seen[1]) + 3


def test_a_shut_valve_stops_the_flow_of_a_leak() -> None:
    plan = [_spec("linli-valve", "valve", "water"), _spec("zigbee-leak", "leak", "water")]
    world = World(plan, 3, START_MS)
    wet_ms = 0
    for event in world.run_until(START_MS + 200 * 24 * HOUR_MS):
        if event.device == "leak" and event.cause == "change" and event.true["water_leak"]:
            wet_ms = event.at_ms
            break
    assert wet_ms
    assert world.command("valve", "close_valve", {})
    after = list(world.run_until(world.now_ms + 2 * HOUR_MS))
    assert set(_said(after, "water_flow")) == {0}
    assert _said(after, "water_leak")[-1] is False


def test_a_silent_device_obeys_nothing_and_the_truth_goes_on() -> None:
    world = World([_spec("openevse")], 1, START_MS)
    for event in world.run_until(START_MS + 400 * 24 * HOUR_MS):
        if event.fault == "silent":
            assert event.says == {}
            assert event.true["connector_status"]
            assert not world.command("device-1", "stop_charging", {})
            assert not world.command("nobody", "stop_charging", {})
            return
    pytest.fail("it was never silent")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind("silent", 1, HOUR_MS), {}),
        (FaultKind("lie", 1, HOUR_MS, "spot_status", "flip"), {"spot_status": "free", "temperature": 9.5}),
        (FaultKind("invalid", 1, HOUR_MS, "temperature"), {"spot_status": "occupied", "temperature": None}),
        (FaultKind("stuck", 1, HOUR_MS), {"spot_status": "free", "temperature": 8.0}),
    ],
)
def test_each_fault_shows_in_what_is_said(kind: FaultKind, expected: dict[str, Any]) -> None:
    faults = Faults((kind,), stream(1, "x"), 0)
    faults.remember({"spot_status": "free", "temperature": 8.0})
    assert faults.told({"spot_status": "occupied", "temperature": 9.5}, kind, HOUR_MS) == expected


def test_a_plan_with_a_name_twice_or_a_thing_of_two_kinds_is_refused() -> None:
    with pytest.raises(ValueError, match="device-1 is twice"):
        World([_spec("openevse"), _spec("nwave-nps", thing="other")], 1, START_MS)
    with pytest.raises(ValueError, match="is a Place already"):
        World([_spec("nwave-nps"), _spec("linli-valve", "device-2")], 1, START_MS)
    with pytest.raises(ValueError, match="unknown model"):
        World([_spec("teapot")], 1, START_MS)
