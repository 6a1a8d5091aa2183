"""Sessions out of statuses and register: exact by the simulated truth, whatever meters do."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cloud_api.charging.sessions import IN_SESSION, OUT_OF_SESSION, Said, Session, sessions_of
from simulators.world.plan import DeviceSpec
from simulators.world.world import World

T0 = 1_790_000_000_000
MINUTE = 60_000


def said(*pairs: tuple[int, str | float]) -> list[Said]:
    return [Said(T0 + minute * MINUTE, value) for minute, value in pairs]


def test_a_session_from_coming_to_going() -> None:
    statuses = said((0, "Available"), (10, "Preparing"), (11, "Charging"), (71, "SuspendedEV"), (90, "Available"))
    register = said((0, 1000.0), (30, 3000.0), (71, 8000.0), (90, 8000.0), (100, 8000.0))
    assert sessions_of(statuses, register, T0 + 200 * MINUTE) == [
        Session(T0 + 10 * MINUTE, T0 + 90 * MINUTE, 7000.0, 60 * MINUTE, 0)
    ]


def test_one_that_lasts_and_one_without_a_meter() -> None:
    statuses = said((0, "Charging"))
    assert sessions_of(statuses, [], T0 + 5 * MINUTE) == [Session(T0, None, None, 5 * MINUTE, 0)]


def test_a_fault_does_not_end_it() -> None:
    statuses = said((0, "Charging"), (5, "Faulted"), (7, "Charging"), (9, "Available"))
    assert len(sessions_of(statuses, [], T0 + 10 * MINUTE)) == 1


def test_a_register_that_begins_anew_and_one_that_forgot_a_little() -> None:
    statuses = said((0, "Charging"), (60, "Available"))
    anew = said((0, 5000.0), (20, 6000.0), (30, 50.0), (60, 1050.0))
    assert sessions_of(statuses, anew, T0 + 60 * MINUTE)[0][2:] == (2050.0, 60 * MINUTE, 1)
    back = said((0, 5000.0), (20, 6000.0), (30, 5990.0), (60, 7000.0))
    assert sessions_of(statuses, back, T0 + 60 * MINUTE)[0][2:] == (2010.0, 60 * MINUTE, 1)


words = st.sampled_from(sorted({*IN_SESSION, *OUT_OF_SESSION, "Faulted"}))


@given(st.lists(words, max_size=40), st.lists(st.floats(0, 1e6), max_size=40))
def test_sessions_never_overlap_and_energy_is_never_negative(statuses: list[str], register: list[float]) -> None:
    found = sessions_of(
        said(*enumerate(statuses)), said(*((n, value) for n, value in enumerate(register))), T0 + 60 * MINUTE
    )
    for session in found:
        assert session.end_ms is None or session.end_ms >= session.begin_ms
        assert session.energy_wh is None or session.energy_wh >= 0
    ends = [session.end_ms for session in found]
    assert None not in ends[:-1]
    for before, after in pairwise(found):
        assert before.end_ms is not None and before.end_ms <= after.begin_ms


def test_energy_of_a_simulated_week_is_the_registers() -> None:
    """Every watt-hour that the piles' registers counted is in exactly one session."""
    plan = [DeviceSpec(f"evse-{n}", "everest", "gw-1", "f", f"p-{n}", "桩", "Pile") for n in range(8)]
    world = World(plan, 7, T0)
    statuses: dict[str, list[Said]] = {spec.id: [] for spec in plan}
    register: dict[str, list[Said]] = {spec.id: [] for spec in plan}
    for event in [*world.present(), *world.run_until(T0 + 7 * 24 * 60 * MINUTE)]:
        if "connector_status" in event.says:
            statuses[event.device].append(Said(event.at_ms, str(event.says["connector_status"])))
            register[event.device].append(Said(event.at_ms, float(event.says["energy_active_import_register"] or 0)))
    for spec in plan:
        found = sessions_of(statuses[spec.id], register[spec.id], world.now_ms)
        counted = register[spec.id][-1].value
        energy = sum(session.energy_wh or 0 for session in found)
        assert found and abs(energy - (float(counted) - float(register[spec.id][0].value))) < 1
