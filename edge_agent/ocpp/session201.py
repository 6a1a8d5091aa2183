"""OCPP 2.0.1: what a charge point says becomes readings and transactions, and what it is answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.messages import DesiredToken
from edge_agent.ocpp.authorisation import Decision, decide
from edge_agent.ocpp.moments import written
from edge_agent.ocpp.session import (
    ALWAYS,
    NUMBER_MAX,
    Handler,
    Payload,
    Refusal,
    Request,
    Session,
    reservation,
    session_energy,
)  # fmt: skip
from edge_agent.ocpp.transactions import Begin, Transaction
from edge_agent.ocpp.values import latest_register

ANSWERS_KEPT = 8
"""Events of one transaction whose authorisation is remembered, so that a repeat is answered alike."""


class Session201(Session):
    """One charge point that speaks 2.0.1. Its EVSEs are our connectors."""

    version = "2.0.1"
    recorded = frozenset({"BootNotification", "StatusNotification", "MeterValues", "TransactionEvent"})
    noted_only = (
        "FirmwareStatusNotification", "LogStatusNotification", "SecurityEventNotification", "NotifyReport",
        "NotifyEvent", "NotifyMonitoringReport", "ReservationStatusUpdate", "ClearedChargingLimit",
        "NotifyChargingLimit", "ReportChargingProfiles", "NotifyCustomerInformation", "NotifyDisplayMessages",
        "PublishFirmwareStatusNotification",
    )  # fmt: skip

    def own_handlers(self) -> Mapping[str, Handler]:
        """See Session."""
        return {
            "StatusNotification": self._status,
            "MeterValues": self._meter_values,
            "Authorize": self._authorize,
            "TransactionEvent": self._event,
        }

    def request(self, verb: str, connector: int, args: Payload) -> Request:
        """See Session."""
        evse = {"evse": {"id": connector}} if connector else {}
        token = {"idToken": self.token(), "type": "Central"}
        match verb:
            case "start_charging":
                start = {"evseId": connector, "remoteStartId": self._request_id(), "idToken": token}
                return Request("RequestStartTransaction", start)
            case "stop_charging":
                return Request("RequestStopTransaction", {"transactionId": self.open_at(connector).key})
            case "set_current_limit":
                profile = limit_profile(connector, "TxDefaultProfile", args["current"])
                return Request("SetChargingProfile", {"evseId": connector, "chargingProfile": profile})
            case "unlock_connector":
                return Request("UnlockConnector", {"evseId": connector, "connectorId": 1}, ("Unlocked",))
            case "reset" | "reset_hard":
                return Request(
                    "Reset", {"type": "OnIdle" if verb == "reset" else "Immediate"}, ("Accepted", "Scheduled")
                )
            case "make_available" | "make_unavailable":
                kind = "Operative" if verb == "make_available" else "Inoperative"
                return Request("ChangeAvailability", {"operationalStatus": kind, **evse}, ("Accepted", "Scheduled"))
            case "reserve":
                until = {"expiryDateTime": self.reserved_until(args), "idToken": token, "evseId": connector}
                return Request("ReserveNow", {"id": reservation(connector), **until})
            case "cancel_reservation":
                return Request("CancelReservation", {"reservationId": reservation(connector)})
            case "update_firmware":
                firmware = {"location": self.address(verb), "retrieveDateTime": written(self.site.now_ms())}
                return Request("UpdateFirmware", {"requestId": self._request_id(), "firmware": firmware})
            case "send_diagnostics":
                log = {"remoteLocation": self.address(verb)}
                asked = {"logType": "DiagnosticsLog", "requestId": self._request_id(), "log": log}
                return Request("GetLog", asked, ("Accepted", "AcceptedCanceled"))
        raise Refusal("verb_unsupported")

    def _request_id(self) -> int:
        return self.chance.randint(1, NUMBER_MAX)

    def whole_limit(self, number: int, stack: int, amps: float, valid: tuple[str, str] | None) -> Request:
        """See Session."""
        profile = limit_profile(number, "ChargingStationMaxProfile", amps, stack, valid)
        return Request("SetChargingProfile", {"evseId": 0, "chargingProfile": profile})

    def list_version(self, answer: Payload) -> int:
        """See Session."""
        return int(answer.get("versionNumber", -1))

    def list_update(self, version: int, update: str, tokens: Sequence[DesiredToken]) -> Payload:
        """See Session."""
        entries = [
            {
                "idToken": {"idToken": token.id_tag, "type": "ISO14443"},
                "idTokenInfo": _info(decide(token, self.site.now_ms())),
            }
            for token in tokens
        ]
        return {
            "versionNumber": version,
            "updateType": update,
            **({"localAuthorizationList": entries} if entries else {}),
        }

    def _status(self, payload: Payload) -> Payload:
        self.statuses[payload["evseId"]] = payload["connectorStatus"]
        if not self.site.is_repeat(self.charge_point, "StatusNotification", payload):
            one = self.site.book.open_at(self.charge_point, payload["evseId"])
            known = {"chargingState": one.state} if one is not None and one.state else {}
            self.site.read(self.version, self.charge_point, "StatusNotification", payload, known)
        return {}

    def _meter_values(self, payload: Payload) -> Payload:
        if not self.site.is_repeat(self.charge_point, "MeterValues", payload):
            self.site.read(self.version, self.charge_point, "MeterValues", payload)
        return {}

    def _authorize(self, payload: Payload) -> Payload:
        return {"idTokenInfo": _info(self._decide(payload["idToken"], None))}

    def _decide(self, token: Mapping[str, Any], connector: int | None) -> Decision:
        """connector: where it wants to charge now; None: it only asks."""
        if token["type"] == "NoAuthorization":  # whoever presses the button
            return Decision("Accepted" if self.site.charging.free_for_all else "Invalid")
        if connector is None:
            return self.site.decide(self.charge_point, token["idToken"])
        return self.site.decide_start(self.charge_point, connector, token["idToken"])

    def _event(self, payload: Payload) -> Payload:
        info, number = payload["transactionInfo"], payload["seqNo"]
        one = self.site.book.find(self.charge_point, info["transactionId"])
        if one is not None and one.has_seen(number):
            return _answer(one, number)
        evse = payload.get("evse", {}).get("id", 0)
        one = self._begin(payload, one, evse)
        if evse and not one.connector:
            one.connector = evse
        self._authorise_event(payload, one, number)
        self._go_on(payload, one)
        if not one.seen or number > one.seen[-1][1]:
            one.state = info.get("chargingState", one.state)
        one.see(number)
        self.site.book.note(one)
        known = {**session_energy(one), "evse": {"id": one.connector}}
        self.site.read(self.version, self.charge_point, "TransactionEvent", payload, known)
        return _answer(one, number)

    def _begin(self, payload: Payload, one: Transaction | None, evse: int) -> Transaction:
        """The transaction of this event, which may be the first that comes of it without being the first there was."""
        is_start = payload["eventType"] == "Started"
        if one is not None and (one.begun or not is_start):
            return one
        moment = self.site.moment(payload["timestamp"])
        metered = latest_register(payload.get("meterValue"), self.site.now_ms()) if is_start else None
        begin = Begin(
            charge_point=self.charge_point,
            connector=evse,
            key=payload["transactionInfo"]["transactionId"],
            token="",
            moment=moment,
            meter_wh=metered.wh if metered else None,
            offline=payload.get("offline", False),
            turn=payload["seqNo"],
        )
        if one is not None:
            self.site.book.begun_before(one, begin)
            return one
        one = self.begin(begin)
        one.begun = is_start
        return one

    def _authorise_event(self, payload: Payload, one: Transaction, number: int) -> None:
        if (token := payload.get("idToken")) is None:
            return
        begins = not one.token and payload["eventType"] != "Ended"
        decision = self._decide(token, one.connector if begins else None)
        one.token = one.token or decision.name
        one.answers = dict([*one.answers.items(), (str(number), decision.status)][-ANSWERS_KEPT:])

    def _go_on(self, payload: Payload, one: Transaction) -> None:
        book = self.site.book
        if (register := latest_register(payload.get("meterValue"), self.site.now_ms())) is not None:
            book.meter(one, register.wh, register.moment, payload["seqNo"])
        if payload["eventType"] == "Ended" and one.goes_on:
            reason = payload["transactionInfo"].get("stoppedReason", "Local")
            book.end(one, self.site.moment(payload["timestamp"]), None, reason, payload.get("offline", False))


def limit_profile(
    number: int, purpose: str, amps: float, stack: int = 0, valid: tuple[str, str] | None = None
) -> Payload:
    """A charging profile of one limit, A a phase. valid: from when to when; None: for good."""
    return {
        "id": number,
        "stackLevel": stack,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {
                "id": number,
                "chargingRateUnit": "A",
                "startSchedule": valid[0] if valid else ALWAYS,
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": round(amps, 1)}],
            }
        ],
        **({"validFrom": valid[0], "validTo": valid[1]} if valid else {}),
    }


def _answer(one: Transaction, number: int) -> Payload:
    status = one.answers.get(str(number))
    return {"idTokenInfo": {"status": status}} if status else {}


def _info(decision: Decision) -> Payload:
    expiry = {"cacheExpiryDateTime": written(decision.expires_ms)} if decision.expires_ms else {}
    return {"status": "Unknown" if decision.status == "Invalid" else decision.status, **expiry}
