"""Linli's verbs for charge points: what each is in OCPP, and whose word makes a command succeed."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from contracts.messages import Command, CommandProgress, DesiredChargePoint, DesiredCharging
from contracts.topics import command as command_topic
from tests.brokers import Broker
from tests.charge_points import GATEWAY, ChargingSite, charger16, charger201, charging_site
from tests.devices import ForeignClient

CHARGING = DesiredCharging(
    fuse_a=63, charge_points=[DesiredChargePoint(charge_point="CP-1")],
    firmware_url="https://files.example/wall.bin", diagnostics_url="ftps://files.example/up/",
)  # fmt: skip
PLAIN: dict[str, dict[str, float]] = {
    verb: {} for verb in (
        "unlock_connector", "make_unavailable", "make_available", "cancel_reservation", "reset", "reset_hard",
        "update_firmware", "send_diagnostics",
    )
} | {"set_current_limit": {"current": 10}, "reserve": {"duration": 30}}  # fmt: skip
ACTIONS = {
    "1.6": [
        "UnlockConnector", "ChangeAvailability", "ChangeAvailability", "CancelReservation", "Reset", "Reset",
        "UpdateFirmware", "GetDiagnostics", "SetChargingProfile", "ReserveNow", "RemoteStartTransaction", "RemoteStopTransaction",
    ],
    "2.0.1": [
        "UnlockConnector", "ChangeAvailability", "ChangeAvailability", "CancelReservation", "Reset", "Reset",
        "UpdateFirmware", "GetLog", "SetChargingProfile", "ReserveNow", "RequestStartTransaction", "RequestStopTransaction",
    ],
}  # fmt: skip


class Orders:
    """The cloud, as far as it gives commands."""

    def __init__(self, client: ForeignClient, site: ChargingSite) -> None:
        self._client = client
        self._site = site
        self._count = 0

    async def give(self, verb: str, args: dict[str, float]) -> CommandProgress:
        """Give a command, and the last word on it."""
        self._count += 1
        name = f"c{self._count}"
        command = Command(
            command_id=name, device="CP-1-1", verb=verb, args=args, ttl_ms=30_000, issuer="test", issued_ms=0
        )
        for attempt in range(1_000):
            if attempt % 50 == 0:  # as the cloud does: the agent may not have subscribed yet
                self._client.send(command_topic(GATEWAY), msgspec.msgpack.encode(command))
            for record in self._site.frames()[1]:
                ours = isinstance(record, CommandProgress) and record.command_id == name
                if ours and record.state not in ("received", "executing"):
                    return record
            await asyncio.sleep(0.02)
        raise TimeoutError(f"no end of {verb}")


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def _begin(version: str, point: Any, token: str) -> Any:
    """Boot, say the connector's status; then a function that begins a transaction with a token."""
    if version == "1.6":
        answer = await point.call(call16.StartTransaction(1, token, 0, _now()))
        return answer.id_tag_info["status"]
    event = call201.TransactionEvent(
        "Started", _now(), "RemoteStart", 0, {"transaction_id": "a"}, evse={"id": 1},
        id_token={"id_token": token, "type": "Central"},
    )  # fmt: skip
    return (await point.call(event)).id_token_info["status"]


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_each_verb_is_said_and_the_charge_points_answer_is_the_result(tmp_path: Path, version: str) -> None:
    charger: Any = charger16 if version == "1.6" else charger201

    async def play(site: ChargingSite, orders: Orders) -> None:
        assert (await orders.give("reset", {})).reason == "device_unknown: CP-1-1"
        async with charger(site.url("CP-1")) as point:
            if version == "1.6":
                await point.call(call16.BootNotification("Wall", "ACME"))
                await point.call(call16.StatusNotification(1, "NoError", "Available", _now()))
            else:
                await point.call(call201.BootNotification({"vendor_name": "ACME", "model": "Wall"}, "PowerUp"))
                await point.call(call201.StatusNotification(_now(), "Available", 1, 1))
            for verb, args in PLAIN.items():
                end = await orders.give(verb, args)
                assert (end.state, end.reason) == ("succeeded", ""), verb
            assert (await orders.give("stop_charging", {})).reason == "no_transaction"
            assert (await orders.give("start_charging", {})).state == "succeeded"
            start = point.of(ACTIONS[version][-2])[-1]
            token = start["id_tag"] if version == "1.6" else start["id_token"]["id_token"]
            assert len(token) <= 20
            assert await _begin(version, point, token) == "Accepted"
            assert (await orders.give("stop_charging", {})).state == "succeeded"
            point.word["UnlockConnector"] = "NotSupported" if version == "1.6" else "UnknownConnector"
            refused = await orders.give("unlock_connector", {})
            assert (refused.state, refused.reason) == ("failed", f"UnlockConnector: {point.word['UnlockConnector']}")
            assert "https://files.example/wall.bin" in str(point.of("UpdateFirmware"))
            assert "ftps://files.example/up/" in str(point.of(ACTIONS[version][7]))
            whole = [
                payload
                for payload in point.of("SetChargingProfile")
                if payload.get("evse_id", payload.get("connector_id"))
            ]
            point.asked[:] = [(action, payload) for action, payload in point.asked if action in ACTIONS[version]]
            actions = [action for action, _ in point.asked if action != "SetChargingProfile"]
            assert actions[:-1] == [action for action in ACTIONS[version] if action != "SetChargingProfile"]
            assert len(whole) == 1, (
                "a limit by hand is one of the connector, beside the fuse's of the whole charge point"
            )
        for _ in range(200):
            if (gone := await orders.give("reset", {})).state == "failed":
                break
        assert gone.reason == "charge_point_not_connected"

    cloud = Broker("nats-cloud", tmp_path / "cloud")
    cloud.start()
    try:
        with charging_site(tmp_path, CHARGING, LINLI_CLOUD_MQTT_PORT=str(cloud.port)) as site:
            with ForeignClient(cloud.port) as client:
                asyncio.run(play(site, Orders(client, site)))
            (one,) = site.transactions().values()
            assert one.token == "remote"
    finally:
        cloud.stop()
