"""Simulated charge points, without a wire: limits are obeyed, what belongs to transactions is kept and repeated."""

from random import Random
from typing import Any

from simulators.cli import main
from simulators.ocpp.clock import Scale, read, written
from simulators.ocpp.limits import Limits, read_profile
from simulators.ocpp.site import Load
from simulators.ocpp.station import Habits, Station
from simulators.world.agenda import Agenda
from simulators.world.rhythms import HOUR_MS

WALL_MS, BEGIN_MS = 1_790_000_000_000, 1_767_542_400_000


def profile(purpose: str, amps: float, stack: int = 0, **more: Any) -> dict[str, Any]:
    schedule = {"charging_rate_unit": "A", "charging_schedule_period": [{"start_period": 0, "limit": amps}]}
    return {
        "charging_profile_id": stack + 10 * len(purpose), "stack_level": stack, "charging_profile_purpose": purpose,
        "charging_profile_kind": "Absolute", "charging_schedule": schedule, **more,
    }  # fmt: skip


def kept(limits: Limits, document: dict[str, Any], connector: int = 0) -> None:
    found = read_profile(document, connector, WALL_MS)
    assert found is not None
    limits.set(found)


def station(version: str = "1.6", speed: float = 60.0) -> tuple[Station, Agenda, Load]:
    agenda, load = Agenda(BEGIN_MS), Load()
    one = Station(
        "SIM-1", version, agenda, Random("a seed"), Scale(WALL_MS, BEGIN_MS, speed), Habits(), load.drawn,
        lambda station, session: None, lambda: None,
    )  # fmt: skip
    one.power_on()
    one.linked(WALL_MS)
    return one, agenda, load


def play(one: Station, agenda: Agenda, until_ms: int) -> None:
    """Until then; cards are accepted at once."""
    while (due_ms := agenda.next_ms()) is not None and due_ms <= until_ms:
        agenda.take()()
        for word in list(one.words):
            if word.kind == "authorize":
                one.authorized(word.connector, word.token, True)
        one.words.clear()
        one.look()
    agenda.now_ms = until_ms


def test_the_lowest_of_what_bounds_holds_and_the_highest_stack_of_each() -> None:
    limits = Limits()
    assert limits.amps(1, WALL_MS) == float("inf")
    kept(limits, profile("TxDefaultProfile", 16))
    kept(limits, profile("ChargePointMaxProfile", 10))
    assert limits.amps(1, WALL_MS) == 10
    kept(limits, profile("ChargePointMaxProfile", 32, stack=1, valid_to=written(WALL_MS + 5_000)))
    assert limits.amps(1, WALL_MS) == 16
    assert limits.amps(1, WALL_MS + 5_000) == 10, "a lease has ended: what lasts below it holds"
    kept(limits, profile("TxProfile", 8), connector=1)
    assert (limits.amps(1, WALL_MS), limits.amps(2, WALL_MS)) == (8, 16)
    limits.transaction_ended(1)
    assert limits.amps(1, WALL_MS) == 16


def test_a_lease_that_has_not_begun_by_its_own_clock_does_not_hold() -> None:
    limits = Limits()
    kept(limits, profile("ChargePointMaxProfile", 6))
    kept(
        limits,
        profile("ChargePointMaxProfile", 32, stack=1, valid_from=written(WALL_MS), valid_to=written(WALL_MS + 9)),
    )
    assert (limits.amps(1, WALL_MS - 1), limits.amps(1, WALL_MS)) == (6, 32)


def test_a_session_is_told_in_order_with_the_energy_that_flowed() -> None:
    one, agenda, load = station()
    kept(one.limits, profile("ChargePointMaxProfile", 10))
    play(one, agenda, BEGIN_MS + 24 * HOUR_MS)
    kinds = [notice.kind for notice in one.queue]
    assert kinds[0] == "begin" and "meter" in kinds and "end" in kinds
    begin, end = one.queue[0], next(notice for notice in one.queue if notice.kind == "end")
    assert begin.session is end.session and begin.session is not None
    assert end.meter.register_wh - begin.meter.register_wh == begin.session.energy_wh > 1_000
    assert 0 < load.peak_a <= 10
    assert [notice.said_ms for notice in one.queue] == sorted(notice.said_ms for notice in one.queue)
    assert begin.said_ms < WALL_MS + 24 * HOUR_MS // 60, "on the wire the time is the wall clock's"


def test_a_restart_keeps_the_queue_and_loses_the_time() -> None:
    for version, goes_on in (("1.6", False), ("2.0.1", True)):
        one, agenda, load = station(version)
        while one.session(lambda session: True) is None:
            play(one, agenda, agenda.now_ms + 60_000)
        queued = len(one.queue)
        one.power_off(clock_lost=True)
        assert load.now_a == dict.fromkeys(load.now_a, 0.0)
        assert len(one.queue) == queued + (not goes_on)
        one.power_on()
        assert (one.session(lambda session: True) is not None) is goes_on
        assert one.said_ms < HOUR_MS, "1970"
        one.linked(read(written(WALL_MS + 7)))
        assert abs(one.said_ms - WALL_MS - 7) <= 1


def test_one_that_has_forgotten_its_limits_lets_nobody_charge_before_it_is_let_in() -> None:
    one, agenda, load = station("2.0.1")
    kept(one.limits, profile("ChargePointMaxProfile", 10))
    while not load.now_a[1]:
        play(one, agenda, agenda.now_ms + 60_000)
    one.power_off(clock_lost=False, limits_lost=True)
    one.power_on()
    one.look()
    assert load.now_a[1] == 0 and not one.is_limited, "its session goes on, but not before it is let in"
    kept(one.limits, profile("ChargePointMaxProfile", 8))
    one.linked(WALL_MS)
    assert 0 < load.now_a[1] <= 8


def test_a_register_that_begins_again_hides_nothing() -> None:
    one, agenda, _ = station()
    while one.session(lambda session: session.energy_wh > 500) is None:
        play(one, agenda, agenda.now_ms + 60_000)
    session = one.session(lambda session: True)
    one.reset_register(one.outlets[1])
    play(one, agenda, agenda.now_ms + HOUR_MS // 2)
    one.stop(session, "Remote")
    told_wh, before = 0, None
    for notice in (notice for notice in one.queue if notice.session is session):
        told_wh += max(0, notice.meter.register_wh - before) if before is not None else 0
        before = notice.meter.register_wh
    assert session is not None and told_wh == session.energy_wh > 500


def test_same_seed_same_cars() -> None:
    said = []
    for _ in range(2):
        one, agenda, _ = station()
        play(one, agenda, BEGIN_MS + 24 * HOUR_MS)
        said.append([(notice.kind, notice.said_ms, notice.meter) for notice in one.queue])
    assert said[0] == said[1]


def test_wrong_arguments_are_one_clear_line(capsys: Any) -> None:
    assert main(["ocpp", "--url", "http://127.0.0.1:1"]) == 1
    assert capsys.readouterr().err == "simulate: --url 'http://127.0.0.1:1' is not ws:// or wss://\n"
