"""The site's fuse at a real agent: who may draw what, with both versions, a lost link, and one that does not answer."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from contracts.messages import DesiredChargePoint, DesiredCharging
from tests.charge_points import Charger16, Charger201, ChargingSite, charger16, charger201, charging_site

FUSE_A = 40
CHARGING = DesiredCharging(
    fuse_a=FUSE_A,
    free_for_all=True,
    charge_points=[DesiredChargePoint(charge_point="CP-1"), DesiredChargePoint(charge_point="CS-1")],
)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _limits(point: Charger16 | Charger201) -> list[tuple[int, float]]:
    """The limits that it was told: (stack level, A)."""
    found = []
    for asked in point.of("SetChargingProfile"):
        profile: Any = asked.get("cs_charging_profiles") or asked["charging_profile"]
        schedule = profile["charging_schedule"]
        schedule = schedule[0] if isinstance(schedule, list) else schedule
        assert ("valid_to" in profile) is ("valid_from" in profile) is (profile["stack_level"] == 1)
        found.append((profile["stack_level"], schedule["charging_schedule_period"][0]["limit"]))
    return found


async def _until(condition: Any, what: str) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(f"waited for {what}")


def test_reductions_come_first_and_a_lost_charger_keeps_its_share_until_it_must_have_fallen_back(
    tmp_path: Path,
) -> None:
    async def play(site: ChargingSite) -> None:
        async with charger16(site.url("CP-1")) as one:
            await one.call(call16.BootNotification("Wall", "ACME"))
            await _until(lambda: _limits(one) == [(0, 6), (1, 6)], "fail-safe and first limit of the first")
            await one.call(call16.StartTransaction(1, "ANY", 0, _now()))
            await asyncio.sleep(1)  # the other one has never confirmed a limit: it may draw 32 A
            assert max(amps for _, amps in _limits(one)) <= FUSE_A - 32
            async with charger201(site.url("CS-1")) as other:
                await other.call(call201.BootNotification({"vendor_name": "ACME", "model": "Wall"}, "PowerUp"))
                await _until(lambda: (1, 32) in _limits(one), "the first to be given what is left")
                assert set(_limits(other)) == {(0, 6), (1, 6)}
                one.word["SetChargingProfile"] = "Rejected"  # it does not come down
                event = call201.TransactionEvent(
                    "Started", _now(), "Authorized", 0, {"transaction_id": "a"}, evse={"id": 1, "connector_id": 1}
                )
                await other.call(event)
                await _until(lambda: _limits(one)[-1] == (1, 20), "the first to be asked to come down")
                await asyncio.sleep(1)
                assert max(amps for _, amps in _limits(other)) <= FUSE_A - 32
                del one.word["SetChargingProfile"]
            lost = asyncio.get_running_loop().time()
            await _until(lambda: _limits(one)[-1] == (1, 32), "the first to be given more")
            assert asyncio.get_running_loop().time() - lost < 10

    with charging_site(tmp_path, CHARGING, LINLI_OCPP_LEASE_S="2") as site:
        asyncio.run(play(site))


def test_one_that_starts_is_let_in_when_it_is_limited_or_the_others_have_made_room(tmp_path: Path) -> None:
    """A charger whose hardware was replaced: nothing that was confirmed under its name holds it any more."""
    boot16 = call16.BootNotification("Wall", "ACME")
    boot201 = call201.BootNotification({"vendor_name": "ACME", "model": "Wall"}, "PowerUp")

    async def play(site: ChargingSite) -> None:
        async with charger16(site.url("CP-1")) as one:
            assert (await one.call(boot16)).status == "Pending", "both may draw 32 A, the fuse carries 40"
            await _until(lambda: one.of("TriggerMessage"), "the first to be asked to boot again")
            assert _limits(one) == [(0, 6), (1, 6)]
            assert (await one.call(boot16)).status == "Accepted"
            await one.call(call16.StartTransaction(1, "ANY", 0, _now()))
            async with charger201(site.url("CS-1")) as other:
                assert (await other.call(boot201)).status == "Accepted", "its room was kept"
                await _until(lambda: (1, 32) in _limits(one), "the first to be given what is left")
                assert _limits(other) == [(0, 6), (1, 6)]
            async with charger201(site.url("CS-1")) as another:
                another.word["SetChargingProfile"] = "Rejected"
                assert (await another.call(boot201)).status == "Pending"
                await _until(lambda: another.of("TriggerMessage"), "the new one to be asked to boot again")
                assert _limits(one)[-1] == (1, 8), (
                    "it takes no limit: the first has come down to what is left beside 32 A"
                )
                assert (await another.call(boot201)).status == "Accepted"

    with charging_site(tmp_path, CHARGING) as site:
        asyncio.run(play(site))


def test_chargers_on_phases_of_their_own_do_not_take_turns(tmp_path: Path) -> None:
    """Three one-phase chargers of 32 A have 32 A each on a fuse of 32 A a phase; where nobody knows the phase, a third."""

    async def play(site: ChargingSite) -> None:
        async with charger16(site.url("L1")) as one, charger16(site.url("L2")) as two:
            for point in (one, two):
                await point.call(call16.BootNotification("Wall", "ACME"))
                await _until(lambda: (1, 6) in _limits(point), "fail-safe and first limit")  # noqa: B023
                await point.call(call16.StartTransaction(1, "ANY", 0, _now()))
            await _until(lambda: _limits(one)[-1] == _limits(two)[-1] == (1, 32), "all that their phases carry")

    points = [DesiredChargePoint(charge_point=f"L{phase}", current_max_a=32, phases=1, phase=phase) for phase in (1, 2)]
    with charging_site(tmp_path, DesiredCharging(fuse_a=32, free_for_all=True, charge_points=points)) as site:
        asyncio.run(play(site))
