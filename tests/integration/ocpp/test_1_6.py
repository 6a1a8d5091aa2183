"""A charge point of OCPP 1.6 at a real agent whose cloud is away."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ocpp.v16 import call

from contracts.messages import DesiredChargePoint, DesiredCharging, DesiredToken
from tests.charge_points import charger16, charging_site

CHARGING = DesiredCharging(
    fuse_a=64,
    charge_points=[DesiredChargePoint(charge_point="CP-1"), DesiredChargePoint(charge_point="CP-2")],
    tokens=[DesiredToken(name="card 7", id_tag="SECRET7"), DesiredToken(name="lost", id_tag="LOST", blocked=True)],
)
BOOT = call.BootNotification(charge_point_vendor="ACME", charge_point_model="Wall", firmware_version="1.2.3")


def _time(minutes: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


def _meter(wh: int, minutes: float = 0) -> list[dict[str, object]]:
    return [{"timestamp": _time(minutes), "sampled_value": [{"value": str(wh)}]}]


def test_a_charging_session_from_boot_to_stop(tmp_path: Path) -> None:
    async def charge(url: str) -> None:
        async with charger16(url) as point:
            boot = await point.call(BOOT)
            assert boot.status == "Accepted"
            assert abs(datetime.fromisoformat(boot.current_time).timestamp() - datetime.now(UTC).timestamp()) < 5
            await point.call(call.StatusNotification(1, "NoError", "Available", _time()))
            assert (await point.call(call.Authorize("secret7"))).id_tag_info["status"] == "Accepted"
            assert (await point.call(call.Authorize("LOST"))).id_tag_info["status"] == "Blocked"
            assert (await point.call(call.Authorize("other"))).id_tag_info["status"] == "Invalid"
            began = await point.call(call.StartTransaction(1, "SECRET7", 1_000, _time()))
            assert began.id_tag_info["status"] == "Accepted"
            await point.call(call.StatusNotification(1, "NoError", "Charging", _time()))
            await point.call(call.MeterValues(1, _meter(1_400), began.transaction_id))
            stop = call.StopTransaction(1_750, _time(), began.transaction_id, "EVDisconnected")
            await point.call(stop)
            assert (await point.call(call.DataTransfer("ACME"))).status == "UnknownVendorId"

    with charging_site(tmp_path, CHARGING) as site:
        asyncio.run(charge(site.url("CP-1")))
        (one,) = site.transactions().values()
        assert (one.device, one.charge_point, one.token) == ("CP-1-1", "CP-1", "card 7")
        assert (one.meter_start_wh, one.meter_wh, one.energy_wh) == (1_000, 1_750, 750)
        assert one.ended_ms >= one.started_ms > 0 and one.reason == "EVDisconnected"
        assert not one.offline and not one.time_unsure
        assert site.values("CP-1-1", "connector_status") == ["Available", "Charging"]
        assert site.values("CP-1-1", "energy_active_import_register") == [1_000, 1_400, 1_750]
        assert site.values("CP-1-1", "session_energy") == [0, 400, 750]
        assert site.values("CP-1-0", "firmware_version") == ["1.2.3"]
