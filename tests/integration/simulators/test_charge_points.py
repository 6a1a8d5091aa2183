"""Simulated charge points against the central system of the package `ocpp`: each order of both versions, by the schemas."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import ocpp.v16
import ocpp.v201
from ocpp.routing import on
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from websockets.asyncio.server import ServerConnection, serve

from simulators.ocpp.clock import Scale, written
from simulators.ocpp.link import Link
from simulators.ocpp.site import Load
from simulators.ocpp.station import Habits, Station
from simulators.world.agenda import Agenda

BEGIN_MS = 1_767_542_400_000


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Central16(ocpp.v16.ChargePoint):  # type: ignore[misc]
    """Accepts everything, and remembers what it was told."""

    def __init__(self, connection: Any, told: list[tuple[str, dict[str, Any]]]) -> None:
        super().__init__("SIM-1", connection)
        self.told = told

    @on("BootNotification")
    def boot(self, **payload: Any) -> Any:
        return result16.BootNotification(written(wall_ms()), 300, "Accepted")

    @on("StatusNotification")
    def status(self, **payload: Any) -> Any:
        self.told.append(("status", payload))
        return result16.StatusNotification()

    @on("StartTransaction")
    def start_transaction(self, **payload: Any) -> Any:
        self.told.append(("begin", payload))
        return result16.StartTransaction(77, {"status": "Accepted"})

    @on("StopTransaction")
    def stop_transaction(self, **payload: Any) -> Any:
        self.told.append(("end", payload))
        return result16.StopTransaction()

    @on("MeterValues")
    def meter_values(self, **payload: Any) -> Any:
        self.told.append(("meter", payload))
        return result16.MeterValues()

    @on("Authorize")
    def authorize(self, **payload: Any) -> Any:
        return result16.Authorize({"status": "Accepted"})

    @on("FirmwareStatusNotification")
    def firmware(self, **payload: Any) -> Any:
        self.told.append(("firmware", payload))
        return result16.FirmwareStatusNotification()

    @on("DiagnosticsStatusNotification")
    def diagnostics(self, **payload: Any) -> Any:
        return result16.DiagnosticsStatusNotification()


class Central201(ocpp.v201.ChargePoint):  # type: ignore[misc]
    """Accepts everything, and remembers what it was told."""

    def __init__(self, connection: Any, told: list[tuple[str, dict[str, Any]]]) -> None:
        super().__init__("SIM-1", connection)
        self.told = told

    @on("BootNotification")
    def boot(self, **payload: Any) -> Any:
        return result201.BootNotification(written(wall_ms()), 300, "Accepted")

    @on("StatusNotification")
    def status(self, **payload: Any) -> Any:
        self.told.append(("status", payload))
        return result201.StatusNotification()

    @on("TransactionEvent")
    def event(self, **payload: Any) -> Any:
        self.told.append(({"Started": "begin", "Updated": "meter", "Ended": "end"}[payload["event_type"]], payload))
        return result201.TransactionEvent()

    @on("Authorize")
    def authorize(self, **payload: Any) -> Any:
        return result201.Authorize({"status": "Accepted"})

    @on("FirmwareStatusNotification")
    def firmware(self, **payload: Any) -> Any:
        self.told.append(("firmware", payload))
        return result201.FirmwareStatusNotification()

    @on("LogStatusNotification")
    def log_status(self, **payload: Any) -> Any:
        return result201.LogStatusNotification()


Order = Callable[[Any], Awaitable[Any]]


class Scene:
    """A station with a car before it, its link, and the central system's end of that."""

    def __init__(self, station: Station, central: Any, told: list[tuple[str, dict[str, Any]]]) -> None:
        self.station = station
        self.told = told
        self._central = central

    async def order(self, payload: Any) -> str:
        """Returns the status in the answer, "" where there is none."""
        answer = await self._central.call(payload, suppress=False)
        return str(getattr(answer, "status", ""))

    async def until(self, kind: str, count: int = 1, **wanted: Any) -> dict[str, Any]:
        """The newest thing told of a kind that says what is wanted, once so many were."""
        async with asyncio.timeout(10):
            while (
                len(found := [what for name, what in self.told if name == kind and wanted.items() <= what.items()])
                < count
            ):
                await asyncio.sleep(0.01)
        return found[-1]


@asynccontextmanager
async def scene(version: str) -> AsyncIterator[Scene]:
    told: list[tuple[str, dict[str, Any]]] = []
    arrived: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def answer(connection: ServerConnection) -> None:
        central = (Central16 if version == "1.6" else Central201)(connection, told)
        if not arrived.done():
            arrived.set_result(central)
        await central.start()

    agenda, scale = Agenda(BEGIN_MS), Scale(wall_ms(), BEGIN_MS, 1_000)

    def tick() -> None:
        agenda.now_ms = max(agenda.now_ms, scale.at(wall_ms()))
        while (due_ms := agenda.next_ms()) is not None and due_ms <= scale.at(wall_ms()):
            agenda.take()()

    protocol = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"}[version]
    async with serve(answer, "127.0.0.1", 0, subprotocols=[protocol]) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        station = Station(
            "SIM-1", version, agenda, Random("a seed"), scale, Habits(), Load().drawn, lambda *ended: None, lambda: None
        )
        link = Link(station, f"ws://127.0.0.1:{port}", "", Random(1), scale, tick)
        station.on_change = link.changed.set
        station.power_on()
        station.outlets[1].plug()
        running = asyncio.create_task(link.run())
        try:
            there = Scene(station, await arrived, told)
            await there.until("status")
            yield there
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def limit(number: str, amps: float) -> dict[str, Any]:
    schedule = {"charging_rate_unit": "A", "charging_schedule_period": [{"start_period": 0, "limit": amps}]}
    return {
        number: 1, "stack_level": 0, "charging_profile_kind": "Absolute",
        "charging_schedule": schedule if number == "charging_profile_id" else [{"id": 1, **schedule}],
    }  # fmt: skip


async def charge(there: Scene, start: Any, limited: Any, clear: Any, stop: Callable[[str], Any], unlock: Any) -> None:
    assert await there.order(start) == "Accepted"
    assert await there.order(start) == "Rejected", "it charges already"
    begin = await there.until("begin")
    assert there.station.outlets[1].amps == 16
    assert await there.order(limited) == "Accepted"
    assert there.station.outlets[1].amps == 7, "at once"
    assert await there.order(clear) == "Accepted"
    assert await there.order(clear) == "Unknown"
    assert there.station.outlets[1].amps == 16
    session = there.station.session(lambda one: True)
    assert session is not None
    assert await there.order(stop(session.id)) == "Accepted"
    assert await there.order(stop(session.id)) == "Rejected"
    end = await there.until("end")
    assert read_wh(end) - read_wh(begin) == session.energy_wh > 0
    assert await there.order(start) == "Accepted"
    assert await there.order(unlock) == "Unlocked"
    assert await there.until("end", 2) != end


def read_wh(told: dict[str, Any]) -> float:
    if "meter_value" in told:
        return float(told["meter_value"][0]["sampled_value"][0]["value"])
    return float(told.get("meter_start", told.get("meter_stop", 0)))


def test_every_order_of_1_6() -> None:
    async def run() -> None:
        async with scene("1.6") as there:
            most = {**limit("charging_profile_id", 7), "charging_profile_purpose": "ChargePointMaxProfile"}
            await charge(
                there, call16.RemoteStartTransaction("CARD", 1), call16.SetChargingProfile(0, most),
                call16.ClearChargingProfile(id=1), lambda _: call16.RemoteStopTransaction(77), call16.UnlockConnector(1),
            )  # fmt: skip
            there.station.outlets[1].unplug()
            assert await there.order(call16.ReserveNow(1, written(wall_ms() + 60_000), "CARD", 5)) == "Accepted"
            await there.until("status", status="Reserved")
            assert await there.order(call16.CancelReservation(5)) == "Accepted"
            assert await there.order(call16.CancelReservation(5)) == "Rejected"
            assert await there.order(call16.ChangeAvailability(1, "Inoperative")) == "Accepted"
            assert await there.order(call16.ChangeAvailability(1, "Operative")) == "Accepted"
            entries = [{"id_tag": "BLOCKED", "id_tag_info": {"status": "Blocked"}}]
            assert await there.order(call16.SendLocalList(3, "Full", entries)) == "Accepted"
            assert there.station.local_list == {"BLOCKED": "Blocked"}
            assert await there.order(call16.TriggerMessage("StatusNotification", 1)) == "Accepted"
            await there.order(call16.GetDiagnostics("ftp://nowhere"))
            await there.order(call16.GetConfiguration())
            await there.order(call16.UpdateFirmware("ftp://nowhere", written(wall_ms())))
            assert await there.order(call16.Reset("Soft")) == "Accepted"

    asyncio.run(run())


def test_every_order_of_2_0_1() -> None:
    async def run() -> None:
        async with scene("2.0.1") as there:
            most = {**limit("id", 7), "charging_profile_purpose": "ChargingStationMaxProfile"}
            token = {"id_token": "CARD", "type": "ISO14443"}
            await charge(
                there, call201.RequestStartTransaction(token, 1, 1), call201.SetChargingProfile(0, most),
                call201.ClearChargingProfile(charging_profile_id=1), call201.RequestStopTransaction,
                call201.UnlockConnector(1, 1),
            )  # fmt: skip
            there.station.outlets[1].unplug()
            until = written(wall_ms() + 60_000)
            assert await there.order(call201.ReserveNow(5, until, token, evse_id=1)) == "Accepted"
            assert await there.order(call201.CancelReservation(5)) == "Accepted"
            assert await there.order(call201.CancelReservation(5)) == "Rejected"
            assert await there.order(call201.ChangeAvailability("Inoperative", {"id": 1})) == "Accepted"
            assert await there.order(call201.ChangeAvailability("Operative")) == "Accepted"
            entries = [{"id_token": token, "id_token_info": {"status": "Accepted"}}]
            assert await there.order(call201.SendLocalList(3, "Full", entries)) == "Accepted"
            assert there.station.local_list == {"CARD": "Accepted"}
            assert await there.order(call201.TriggerMessage("StatusNotification", {"id": 1})) == "Accepted"
            assert (
                await there.order(call201.GetLog({"remote_location": "ftp://nowhere"}, "DiagnosticsLog", 1))
                == "Accepted"
            )
            update = {"location": "ftp://nowhere", "retrieve_date_time": until}
            assert await there.order(call201.UpdateFirmware(1, update)) == "Accepted"
            assert await there.order(call201.Reset("Immediate")) == "Accepted"

    asyncio.run(run())
