"""OCPP 2.0.1: what a charge point says becomes readings and transactions, and what it is answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.messages import DesiredToken
from edge_agent.ocpp.authorisation import Decision, decide
from edge_agent.ocpp.moments import written
from edge_agent.ocpp.session import NUMBER_MAX, Handler, Limit, Payload, Request, Session, session_energy
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
    whole_purpose = "ChargingStationMaxProfile"

    def own_handlers(self) -> Mapping[str, Handler]:
        """See Session."""
        return {
            "StatusNotification": self._status,
            "MeterValues": self._meter_values,
            "Authorize": self._authorize,
            "TransactionEvent": self._event,
        }

    def start_call(self, connector: int) -> Request:
        """See Session."""
        start = {"evseId": connector, "remoteStartId": self._request_id(), "idToken": self._own_token()}
        return Request("RequestStartTransaction", start)

    def stop_call(self, key: str) -> Request:
        """See Session."""
        return Request("RequestStopTransaction", {"transactionId": key})

    def limit_call(self, connector: int, limit: Limit) -> Request:
        """See Session."""
        schedule = {"id": limit.number, **limit.schedule}
        profile = {"id": limit.number, **limit.fields, "chargingSchedule": [schedule]}
        return Request("SetChargingProfile", {"evseId": connector, "chargingProfile": profile})

    def unlock_call(self, connector: int) -> Request:
        """See Session."""
        return Request("UnlockConnector", {"evseId": connector, "connectorId": 1}, ("Unlocked",))

    def reset_call(self, hard: bool) -> Request:
        """See Session."""
        return Request("Reset", {"type": "Immediate" if hard else "OnIdle"}, ("Accepted", "Scheduled"))

    def availability_call(self, connector: int, status: str) -> Request:
        """See Session."""
        evse = {"evse": {"id": connector}} if connector else {}
        return Request("ChangeAvailability", {"operationalStatus": status, **evse}, ("Accepted", "Scheduled"))

    def reserve_call(self, connector: int, number: int, until: str) -> Request:
        """See Session."""
        who = {"idToken": self._own_token(), "id": number}
        return Request("ReserveNow", {"evseId": connector, "expiryDateTime": until, **who})

    def firmware_call(self, location: str, now: str) -> Request:
        """See Session."""
        firmware = {"location": location, "retrieveDateTime": now}
        return Request("UpdateFirmware", {"requestId": self._request_id(), "firmware": firmware})

    def diagnostics_call(self, location: str) -> Request:
        """See Session."""
        log = {"requestId": self._request_id(), "log": {"remoteLocation": location}}
        return Request("GetLog", {"logType": "DiagnosticsLog", **log}, ("Accepted", "AcceptedCanceled"))

    def _own_token(self) -> Payload:
        return {"idToken": self.token(), "type": "Central"}

    def _request_id(self) -> int:
        return self.chance.randint(1, NUMBER_MAX)

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


def _answer(one: Transaction, number: int) -> Payload:
    status = one.answers.get(str(number))
    return {"idTokenInfo": {"status": status}} if status else {}


def _info(decision: Decision) -> Payload:
    expiry = {"cacheExpiryDateTime": written(decision.expires_ms)} if decision.expires_ms else {}
    return {"status": "Unknown" if decision.status == "Invalid" else decision.status, **expiry}
