"""What holds in every world: invariants of the truth, and values that the vocabulary allows."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.vocabulary import METRICS, fault_of
from simulators.world import World, plan_of
from simulators.world.rhythms import HOUR_MS, MINUTE_MS

NEVER_FALLS = (
    "energy_active_import_register",
    "water_volume",
    "passage_count",
    "compaction_count",
    "collection_count",
)
COMMANDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("stop_charging", {}),
    ("start_charging", {}),
    ("set_current_limit", {"current": 8}),
    ("open_barrier", {}),
    ("close_barrier", {}),
    ("compact", {}),
    ("set_temperature", {"temperature": 24}),
    ("close_valve", {}),
    ("open_valve", {}),
    ("switch_off", {}),
    ("no_such_verb", {}),
)
START_MS = 1_767_542_400_000
PLAN = plan_of(100)
starts = st.integers(0, 7 * 24).map(lambda hour: START_MS + hour * HOUR_MS)
commands = st.lists(st.tuples(st.integers(0, len(PLAN) - 1), st.sampled_from(COMMANDS)), max_size=12)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), start_ms=starts, told=commands)
def test_truth_stays_possible_whatever_people_command(
    seed: int, start_ms: int, told: list[tuple[int, tuple[str, dict[str, Any]]]]
) -> None:
    world = World(PLAN, seed, start_ms)
    last: dict[tuple[str, str], float] = {}
    at_ms = start_ms
    for turn in range(12):
        for number, (verb, args) in told[turn : turn + 1]:
            world.command(PLAN[number].id, verb, args)
        for event in world.run_until(start_ms + (turn + 1) * HOUR_MS):
            assert event.at_ms >= at_ms, "time runs forward"
            at_ms = event.at_ms
            for metric, value in event.true.items():
                assert fault_of(METRICS[metric], value) == "", (event.device, metric, value)
                if metric in NEVER_FALLS and isinstance(value, int | float):
                    assert value >= last.get((event.device, metric), 0), (event.device, metric)
                    last[event.device, metric] = value
            for metric, said in event.says.items():
                assert said is None or fault_of(METRICS[metric], said) == "", (event.device, metric, said)
            _one_place_one_state(event.true)
            if not event.fault:
                assert event.says == event.true


def _one_place_one_state(true: dict[str, Any]) -> None:
    if "spot_status" in true:
        assert true["spot_status"] in ("free", "occupied")
    if true.get("connector_status") == "Available":
        assert not true.get("plugged", False)
        assert true.get("session_energy", 0) == 0
    if true.get("connector_status") not in ("Charging", None):
        assert true.get("current_import", 0) == 0
    if true.get("valve_open") is False:
        assert true["water_flow"] == 0
    if "relay_on" in true and "voltage" in true and not true["relay_on"]:
        assert true["power_active_import"] == 0


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_places_take_turns(seed: int) -> None:
    world = World([spec for spec in PLAN if spec.model == "nwave-nps"], seed, START_MS)
    state = {event.device: event.true["spot_status"] for event in world.present()}
    changes = 0
    for event in world.run_until(START_MS + 24 * HOUR_MS):
        if event.cause == "change":
            assert event.true["spot_status"] != state[event.device], "a change is to the other state"
            changes += 1
        else:
            assert event.true["spot_status"] == state[event.device], "between changes nothing changes"
        state[event.device] = event.true["spot_status"]
    assert changes > 40


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), minutes=st.lists(st.integers(1, 90), min_size=1, max_size=8))
def test_a_history_replays_from_seed_and_commands(seed: int, minutes: list[int]) -> None:
    def history() -> list[Any]:
        world = World(PLAN[:40], seed, START_MS)
        events: list[Any] = []
        for turn, step in enumerate(minutes):
            events += world.run_until(world.now_ms + step * MINUTE_MS)
            verb, args = COMMANDS[turn % len(COMMANDS)]
            for spec in PLAN[:40]:
                world.command(spec.id, verb, args)
        return [*events, *world.run_until(world.now_ms + HOUR_MS)]

    assert history() == history()
