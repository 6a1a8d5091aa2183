"""OCPP 2.0.1: what a charge point has to say, and what it is ordered."""

from typing import Any, ClassVar

from ocpp.routing import on
from ocpp.v201 import ChargePoint, call, call_result

from simulators.ocpp.clock import Scale, written
from simulators.ocpp.limits import PURPOSES
from simulators.ocpp.notices import Notice
from simulators.ocpp.speech import UPDATE, UPLOAD, Payload, Speech, yes
from simulators.ocpp.station import Station

_STATUS = {"Available": "Available", "Reserved": "Reserved", "Unavailable": "Unavailable", "Faulted": "Faulted"}
_STATE = {"Charging": "Charging", "SuspendedEV": "SuspendedEV", "SuspendedEVSE": "SuspendedEVSE"}
_EVENT = {"begin": "Started", "meter": "Updated", "end": "Ended"}
_TRIGGER = {
    "EVDisconnected": "EVCommunicationLost",
    "Remote": "RemoteStop",
    "DeAuthorized": "Deauthorized",
    "UnlockCommand": "UnlockCommand",
}
_REASON = {"UnlockCommand": "Other", "HardReset": "ImmediateReset", "SoftReset": "ImmediateReset"}


class Speech201(Speech, ChargePoint):  # type: ignore[misc]
    """Says a station's notices, and gives it the central system's orders. Each connector is an EVSE with one."""

    triggered: ClassVar = {
        "Heartbeat": "heartbeat",
        "StatusNotification": "status",
        "TransactionEvent": "meter",
        "MeterValues": "meter",
        "FirmwareStatusNotification": "firmware",
        "LogStatusNotification": "diagnostics",
    }

    def __init__(self, station: Station, connection: Any, answer_s: float, scale: Scale) -> None:
        super().__init__(station.name, connection, answer_s)
        self.lead(station, scale)

    def boot_call(self) -> Any:
        """See Speech."""
        station = {"model": "Sim201", "vendor_name": "Linli", "firmware_version": "1.0.0"}
        return call.BootNotification(charging_station=station, reason="PowerUp")

    def status_of(self, answer: Any) -> str:
        """See Speech."""
        return str((answer.id_token_info or {}).get("status", "Accepted"))

    def payload(self, notice: Notice) -> Any:
        """See Speech."""
        if notice.kind in _EVENT:
            return _transaction_event(notice)
        if notice.kind == "authorize":
            return call.Authorize(_id_token(notice.token))
        if notice.kind == "status":
            if not notice.connector:
                return None  # there is no connector 0 in this version
            status = _STATUS.get(notice.word, "Occupied")
            return call.StatusNotification(written(notice.said_ms), status, notice.connector, 1)
        if notice.kind == "firmware":
            return call.FirmwareStatusNotification(notice.word or "Idle", 1 if notice.word else None)
        if notice.kind == "diagnostics":
            return call.LogStatusNotification(notice.word or "Idle", 1 if notice.word else None)
        return call.Heartbeat()

    @on("RequestStartTransaction")
    def start_transaction(
        self,
        id_token: Payload,
        remote_start_id: int,
        evse_id: int = 1,
        charging_profile: Payload | None = None,
        **_: Any,
    ) -> Any:
        """Begin, if a car is there."""
        return call_result.RequestStartTransaction(self.begin(evse_id, id_token["id_token"], charging_profile))

    @on("RequestStopTransaction")
    def stop_transaction(self, transaction_id: str) -> Any:
        """End it."""
        session = self.station.session(lambda one: one.id == transaction_id)
        return call_result.RequestStopTransaction(yes(self.station.stop(session, "Remote")))

    @on("UnlockConnector")
    def unlock(self, evse_id: int, connector_id: int) -> Any:
        """Let the plug go."""
        known = self.orders.unlock(evse_id)
        return call_result.UnlockConnector("UnknownConnector" if known == "NotSupported" else known)

    @on("Reset")
    def reset(self, type: str, evse_id: int | None = None) -> Any:  # noqa: A002 (OCPP's name)
        """Start again; OnIdle waits for nobody here."""
        self.orders.restart("HardReset" if type == "Immediate" else "SoftReset", 10_000)
        return call_result.Reset("Accepted")

    @on("ChangeAvailability")
    def change_availability(self, operational_status: str, evse: Payload | None = None) -> Any:
        """In or out of service."""
        connector = (evse or {}).get("id", 0)
        return call_result.ChangeAvailability(
            self.orders.change_availability(connector, operational_status == "Operative")
        )

    @on("ReserveNow")
    def reserve(
        self,
        id: int,  # noqa: A002
        expiry_date_time: str,
        id_token: Payload,
        evse_id: int = 1,
        **_: Any,
    ) -> Any:
        """Keep it for a card."""
        until_ms = self.scale.read(expiry_date_time)
        return call_result.ReserveNow(self.orders.reserve(evse_id, id, id_token["id_token"], until_ms))

    @on("CancelReservation")
    def cancel_reservation(self, reservation_id: int) -> Any:
        """It is free again."""
        return call_result.CancelReservation(yes(self.orders.cancel_reservation(reservation_id)))

    @on("SendLocalList")
    def send_local_list(
        self, version_number: int, update_type: str, local_authorization_list: list[Payload] | None = None
    ) -> Any:
        """Who may charge without a link."""
        entries = {
            entry["id_token"]["id_token"]: entry.get("id_token_info") for entry in local_authorization_list or []
        }
        return call_result.SendLocalList(self.keep_list(version_number, update_type, entries))

    @on("GetLocalListVersion")
    def local_list_version(self) -> Any:
        """Of the list that it has."""
        return call_result.GetLocalListVersion(self.station.list_version)

    @on("SetChargingProfile")
    def set_charging_profile(self, evse_id: int, charging_profile: Payload) -> Any:
        """A limit."""
        return call_result.SetChargingProfile(self.keep_limit(charging_profile, evse_id))

    @on("ClearChargingProfile")
    def clear_charging_profile(
        self, charging_profile_id: int | None = None, charging_profile_criteria: Payload | None = None
    ) -> Any:
        """Limits are gone."""
        criteria = charging_profile_criteria or {}
        meant = {
            "id": charging_profile_id,
            "connector": criteria.get("evse_id"),
            "purpose": PURPOSES.get(criteria.get("charging_profile_purpose", "")),
            "stack": criteria.get("stack_level"),
        }
        return call_result.ClearChargingProfile(self.clear_limits(meant))

    @on("UpdateFirmware")
    def update_firmware(self, request_id: int, firmware: Payload, **_: Any) -> Any:
        """It says how it goes on."""
        self.orders.go_through("firmware", UPDATE)
        return call_result.UpdateFirmware("Accepted")

    @on("GetLog")
    def get_log(self, log: Payload, log_type: str, request_id: int, **_: Any) -> Any:
        """It says how it goes on."""
        self.orders.go_through("diagnostics", UPLOAD)
        return call_result.GetLog("Accepted", filename=f"{self.station.name}.log")

    @on("TriggerMessage")
    def trigger(self, requested_message: str, evse: Payload | None = None) -> Any:
        """Say it now."""
        connector = (evse or {}).get("id", 0)
        connectors = [connector] if connector else list(self.station.outlets)
        return call_result.TriggerMessage(self.say_now(requested_message, connectors))

    @on("SetVariables")
    def set_variables(self, set_variable_data: list[Payload]) -> Any:
        """Settings that are not simulated are taken and mean nothing."""
        return call_result.SetVariables(
            [
                {"attribute_status": "Accepted", "component": one["component"], "variable": one["variable"]}
                for one in set_variable_data
            ]
        )

    @on("GetVariables")
    def get_variables(self, get_variable_data: list[Payload]) -> Any:
        """There are none to be read."""
        return call_result.GetVariables(
            [
                {"attribute_status": "UnknownVariable", "component": one["component"], "variable": one["variable"]}
                for one in get_variable_data
            ]
        )


def _id_token(token: str) -> Payload:
    return {"id_token": token, "type": "ISO14443"}


def _transaction_event(notice: Notice) -> Any:
    session, meter = notice.session, notice.meter
    assert session is not None
    ends = notice.kind == "end"
    trigger = _TRIGGER.get(notice.word, "AbnormalCondition") if ends else "MeterValuePeriodic"
    info: Payload = {"transaction_id": session.id}
    if ends:
        info["stopped_reason"] = _REASON.get(notice.word, notice.word)
    else:
        info["charging_state"] = _STATE.get(notice.state, "EVConnected")
    context = {"begin": "Transaction.Begin", "end": "Transaction.End"}.get(notice.kind, "Sample.Periodic")
    samples = [
        {"value": meter.register_wh, "context": context, "measurand": "Energy.Active.Import.Register",
         "unit_of_measure": {"unit": "Wh"}},
        {"value": round(meter.amps, 1), "context": context, "measurand": "Current.Import", "phase": "L1"},
    ]  # fmt: skip
    return call.TransactionEvent(
        event_type=_EVENT[notice.kind],
        timestamp=written(notice.said_ms),
        trigger_reason="Authorized" if notice.kind == "begin" else trigger,
        seq_no=notice.turn,
        transaction_info=info,
        meter_value=[{"timestamp": written(notice.said_ms), "sampled_value": samples}],
        offline=notice.offline or None,
        evse={"id": notice.connector, "connector_id": 1},
        id_token=_id_token(notice.token) if notice.kind == "begin" else None,
    )
