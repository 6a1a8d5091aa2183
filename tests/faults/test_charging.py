"""The agent dies while charge points speak of transactions; they repeat what was not answered, and it happened once."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from contracts.messages import DesiredChargePoint, DesiredCharging, DesiredToken
from tests.charge_points import charger16, charger201, charging_site
from tests.processes import wait_for

CHARGING = DesiredCharging(
    fuse_a=63,
    charge_points=[DesiredChargePoint(charge_point="CP-1")],
    tokens=[DesiredToken(name="card 7", id_tag="CARD7")],
)


def _ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


def _meter(wh: float, minutes: float) -> list[dict[str, Any]]:
    return [{"timestamp": _ago(minutes), "sampled_value": [{"value": wh}]}]


def _messages(version: str) -> tuple[Any, Any, Any]:
    """Boot, begin, and from the answer to the begin the end of a transaction of 750 Wh."""
    if version == "1.6":
        start = call16.StartTransaction(1, "CARD7", 1_000, _ago(9))
        ended = _ago(4)
        return (
            call16.BootNotification("Wall", "ACME"), start,
            lambda began: call16.StopTransaction(1_750, ended, began.transaction_id, "Local"),
        )  # fmt: skip
    where, token = {"id": 1, "connector_id": 1}, {"id_token": "CARD7", "type": "ISO14443"}
    more = {"offline": True, "evse": where}
    start201 = call201.TransactionEvent(
        "Started", _ago(9), "Authorized", 0, {"transaction_id": "a"}, _meter(1_000, 9), id_token=token, **more
    )
    end201 = call201.TransactionEvent(
        "Ended",
        _ago(4),
        "StopAuthorized",
        1,
        {"transaction_id": "a", "stopped_reason": "Local"},
        _meter(1_750, 4),
        **more,
    )
    return call201.BootNotification({"vendor_name": "ACME", "model": "Wall"}, "PowerUp"), start201, lambda began: end201


@pytest.mark.parametrize("place", ["before_ocpp_commit", "before_ocpp_answer"])
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_killed_before_the_answer_there_is_one_transaction(tmp_path: Path, version: str, place: str) -> None:
    charger: Any = charger16 if version == "1.6" else charger201
    boot, start, end_of = _messages(version)

    async def say(what: Any) -> Any:
        async with charger(site.url("CP-1")) as point:
            return await point.call(what)

    async def say_in_vain(what: Any) -> None:
        async with charger(site.url("CP-1")) as point:
            saying = asyncio.create_task(point.call(what))
            await point._connection.wait_closed()
            assert not saying.done(), "it was answered: the fault did not happen"
            saying.cancel()

    def begin_again(crash_at: str) -> None:
        wait_for(lambda: not site.agent.alive, f"the agent to die at {place}")
        assert site.agent.process.returncode == -9
        site.agent.start(LINLI_CRASH_AT=crash_at)
        site.agent.wait_ready()

    with charging_site(tmp_path, CHARGING, LINLI_CRASH_AT=f"{place}:2") as site:
        asyncio.run(say(boot))
        asyncio.run(say_in_vain(start))
        begin_again(f"{place}:3")
        assert len(site.transactions()) == (0 if place == "before_ocpp_commit" else 1)
        began = [asyncio.run(say(start)) for _ in range(2)]
        assert began[0] == began[1]
        asyncio.run(say_in_vain(end_of(began[0])))
        begin_again("")
        for _ in range(2):
            asyncio.run(say(end_of(began[0])))
        (one,) = site.transactions().values()
        assert (one.token, one.energy_wh, one.reason, one.offline, one.time_unsure) == (
            "card 7",
            750,
            "Local",
            True,
            False,
        )
        assert 299_000 < one.ended_ms - one.started_ms < 301_000
        assert site.values("CP-1-1", "energy_active_import_register") == [1_000, 1_750]
