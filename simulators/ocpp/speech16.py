"""OCPP 1.6J: what a charge point has to say, and what it is ordered."""

from typing import Any, ClassVar

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result

from simulators.ocpp.clock import Scale, written
from simulators.ocpp.limits import PURPOSES
from simulators.ocpp.notices import Meter, Notice
from simulators.ocpp.speech import UPDATE, UPLOAD, Payload, Speech, yes
from simulators.ocpp.station import Station


class Speech16(Speech, ChargePoint):  # type: ignore[misc]
    """Says a station's notices, and gives it the central system's orders."""

    triggered: ClassVar = {
        "Heartbeat": "heartbeat",
        "StatusNotification": "status",
        "MeterValues": "meter",
        "FirmwareStatusNotification": "firmware",
        "DiagnosticsStatusNotification": "diagnostics",
    }

    def __init__(self, station: Station, connection: Any, answer_s: float, scale: Scale) -> None:
        super().__init__(station.name, connection, answer_s)
        self.lead(station, scale)

    def boot_call(self) -> Any:
        """See Speech."""
        return call.BootNotification(charge_point_model="Sim16", charge_point_vendor="Linli", firmware_version="1.0.0")

    def status_of(self, answer: Any) -> str:
        """See Speech."""
        return str(answer.id_tag_info["status"])

    def begun(self, notice: Notice, answer: Any) -> None:
        """See Speech."""
        assert notice.session is not None
        notice.session.number = answer.transaction_id

    def payload(self, notice: Notice) -> Any:
        """See Speech."""
        at, session = written(notice.said_ms), notice.session
        if notice.kind == "begin" and session is not None:
            return call.StartTransaction(notice.connector, notice.token, notice.meter.register_wh, at)
        if notice.kind == "meter" and session is not None:
            return call.MeterValues(notice.connector, [_meter_value(at, notice.meter)], session.number)
        if notice.kind == "end" and session is not None:
            return call.StopTransaction(notice.meter.register_wh, at, session.number, notice.word, session.token)
        if notice.kind == "authorize":
            return call.Authorize(notice.token)
        if notice.kind == "status":
            return call.StatusNotification(notice.connector, "NoError", notice.word, at)
        if notice.kind == "firmware":
            return call.FirmwareStatusNotification(notice.word or "Idle")
        if notice.kind == "diagnostics":
            return call.DiagnosticsStatusNotification(notice.word or "Idle")
        return call.Heartbeat()

    @on("RemoteStartTransaction")
    def remote_start(self, id_tag: str, connector_id: int = 1, charging_profile: Payload | None = None) -> Any:
        """Begin, if a car is there."""
        return call_result.RemoteStartTransaction(self.begin(connector_id, id_tag, charging_profile))

    @on("RemoteStopTransaction")
    def remote_stop(self, transaction_id: int) -> Any:
        """End it."""
        session = self.station.session(lambda one: one.number == transaction_id)
        return call_result.RemoteStopTransaction(yes(self.station.stop(session, "Remote")))

    @on("UnlockConnector")
    def unlock(self, connector_id: int) -> Any:
        """Let the plug go."""
        return call_result.UnlockConnector(self.orders.unlock(connector_id))

    @on("Reset")
    def reset(self, type: str) -> Any:  # noqa: A002 (OCPP's name)
        """Start again."""
        self.orders.restart(f"{type}Reset", 20_000 if type == "Hard" else 8_000)
        return call_result.Reset("Accepted")

    @on("ChangeAvailability")
    def change_availability(self, connector_id: int, type: str) -> Any:  # noqa: A002
        """In or out of service."""
        return call_result.ChangeAvailability(self.orders.change_availability(connector_id, type == "Operative"))

    @on("ReserveNow")
    def reserve(
        self, connector_id: int, expiry_date: str, id_tag: str, reservation_id: int, parent_id_tag: str = ""
    ) -> Any:
        """Keep it for a card."""
        until_ms = self.scale.read(expiry_date)
        return call_result.ReserveNow(self.orders.reserve(connector_id, reservation_id, id_tag, until_ms))

    @on("CancelReservation")
    def cancel_reservation(self, reservation_id: int) -> Any:
        """It is free again."""
        return call_result.CancelReservation(yes(self.orders.cancel_reservation(reservation_id)))

    @on("SendLocalList")
    def send_local_list(
        self, list_version: int, update_type: str, local_authorization_list: list[Payload] | None = None
    ) -> Any:
        """Who may charge without a link."""
        entries = {entry["id_tag"]: entry.get("id_tag_info") for entry in local_authorization_list or []}
        return call_result.SendLocalList(self.keep_list(list_version, update_type, entries))

    @on("GetLocalListVersion")
    def local_list_version(self) -> Any:
        """Of the list that it has."""
        return call_result.GetLocalListVersion(self.station.list_version)

    @on("SetChargingProfile")
    def set_charging_profile(self, connector_id: int, cs_charging_profiles: Payload) -> Any:
        """A limit."""
        return call_result.SetChargingProfile(self.keep_limit(cs_charging_profiles, connector_id))

    @on("ClearChargingProfile")
    def clear_charging_profile(
        self,
        id: int | None = None,  # noqa: A002
        connector_id: int | None = None,
        charging_profile_purpose: str | None = None,
        stack_level: int | None = None,
    ) -> Any:
        """Limits are gone."""
        purpose = PURPOSES.get(charging_profile_purpose or "")
        meant = {"id": id, "connector": connector_id, "purpose": purpose, "stack": stack_level}
        return call_result.ClearChargingProfile(self.clear_limits(meant))

    @on("UpdateFirmware")
    def update_firmware(self, location: str, retrieve_date: str, **_: Any) -> Any:
        """It says how it goes on."""
        self.orders.go_through("firmware", UPDATE)
        return call_result.UpdateFirmware()

    @on("GetDiagnostics")
    def get_diagnostics(self, location: str, **_: Any) -> Any:
        """It says how it goes on."""
        self.orders.go_through("diagnostics", UPLOAD)
        return call_result.GetDiagnostics(f"{self.station.name}.log")

    @on("TriggerMessage")
    def trigger(self, requested_message: str, connector_id: int = 0) -> Any:
        """Say it now."""
        connectors = [connector_id] if connector_id else [0, *self.station.outlets]
        return call_result.TriggerMessage(self.say_now(requested_message, connectors))

    @on("ChangeConfiguration")
    def change_configuration(self, key: str, value: str) -> Any:
        """Settings that are not simulated are taken and mean nothing."""
        return call_result.ChangeConfiguration("Accepted")

    @on("GetConfiguration")
    def get_configuration(self, key: list[str] | None = None) -> Any:
        """It can do smart charging and has a local list."""
        known = {
            "SupportedFeatureProfiles": "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,"
            "RemoteTrigger",
            "NumberOfConnectors": str(len(self.station.outlets)),
            "ChargingScheduleAllowedChargingRateUnit": "Current",
            "ChargeProfileMaxStackLevel": "8",
            "MeterValueSampleInterval": str(self.station.habits.meter_ms // 1000),
        }
        asked = key or list(known)
        return call_result.GetConfiguration(
            [{"key": name, "readonly": True, "value": known[name]} for name in asked if name in known],
            [name for name in asked if name not in known],
        )


def _meter_value(at: str, meter: Meter) -> Payload:
    phases = [f"L{number}" for number in range(1, meter.phases + 1)]
    samples = [
        {"value": str(meter.register_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {
            "value": f"{meter.amps * meter.voltage_v * meter.phases:.0f}",
            "measurand": "Power.Active.Import",
            "unit": "W",
        },
        *(
            {"value": f"{meter.amps:.1f}", "measurand": "Current.Import", "unit": "A", "phase": phase}
            for phase in phases
        ),
    ]
    return {"timestamp": at, "sampledValue": samples}
