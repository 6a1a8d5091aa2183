"""A charge point of OCPP 2.0.1 at a real agent whose cloud is away."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ocpp.v201 import call

from contracts.messages import DesiredChargePoint, DesiredCharging, DesiredToken
from tests.charge_points import charger201, charging_site

CHARGING = DesiredCharging(
    fuse_a=64,
    charge_points=[DesiredChargePoint(charge_point="CS-1")],
    tokens=[DesiredToken(name="card 7", id_tag="SECRET7")],
)
BOOT = call.BootNotification({"vendor_name": "ACME", "model": "Wall", "firmware_version": "2.4"}, "PowerUp")


def _time(minutes: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


def _event(kind: str, number: int, wh: float | None, state: str = "", minutes: float = 0, **more: Any) -> Any:
    info: dict[str, Any] = {"transaction_id": "tx-1", **({"charging_state": state} if state else {})}
    info |= more.pop("info", {})
    meter = [{"timestamp": _time(minutes), "sampled_value": [{"value": wh}]}] if wh is not None else None
    return call.TransactionEvent(kind, _time(minutes), "CablePluggedIn", number, info, meter_value=meter, **more)


def test_a_charging_session_from_boot_to_end(tmp_path: Path) -> None:
    async def charge(url: str) -> None:
        async with charger201(url) as station:
            assert (await station.call(BOOT)).status == "Accepted"
            await station.call(call.StatusNotification(_time(), "Available", 1, 1))
            token = {"id_token": "SECRET7", "type": "ISO14443"}
            assert (await station.call(call.Authorize(token))).id_token_info["status"] == "Accepted"
            started = _event("Started", 0, 1_000, "EVConnected", evse={"id": 1, "connector_id": 1}, id_token=token)
            assert (await station.call(started)).id_token_info["status"] == "Accepted"
            await station.call(_event("Updated", 1, 1_400, "Charging"))
            await station.call(call.StatusNotification(_time(), "Occupied", 1, 1))
            await station.call(_event("Updated", 2, 1_600))
            ended = _event("Ended", 3, 1_750, info={"stopped_reason": "EVDisconnected"})
            await station.call(ended)
            await station.call(ended)
            assert (await station.call(call.DataTransfer("ACME"))).status == "UnknownVendorId"

    with charging_site(tmp_path, CHARGING) as site:
        asyncio.run(charge(site.url("CS-1")))
        (one,) = site.transactions().values()
        assert (one.device, one.charge_point, one.token) == ("CS-1-1", "CS-1", "card 7")
        assert (one.meter_start_wh, one.meter_wh, one.energy_wh) == (1_000, 1_750, 750)
        assert one.ended_ms >= one.started_ms > 0 and one.reason == "EVDisconnected"
        assert not one.offline and not one.time_unsure
        assert site.values("CS-1-1", "connector_status") == [
            "Available",
            "Preparing",
            "Charging",
            "Charging",
            "Finishing",
        ]
        assert site.values("CS-1-1", "energy_active_import_register") == [1_000, 1_400, 1_600, 1_750]
        assert site.values("CS-1-1", "session_energy") == [0, 400, 600, 750]
