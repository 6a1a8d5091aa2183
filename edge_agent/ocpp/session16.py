"""OCPP 1.6: what a charge point says becomes readings and transactions, and what it is answered."""

from collections.abc import Mapping, Sequence

from contracts.messages import DesiredToken
from edge_agent.ocpp.authorisation import Decision, decide
from edge_agent.ocpp.moments import written
from edge_agent.ocpp.session import NUMBER_MAX, Handler, Limit, Payload, Refusal, Request, Session, session_energy
from edge_agent.ocpp.site import digest_of
from edge_agent.ocpp.transactions import Begin, Transaction
from edge_agent.ocpp.values import latest_register

ID_TAG_LENGTH_MAX = 20


class Session16(Session):
    """One charge point that speaks 1.6."""

    version = "1.6"
    recorded = frozenset(
        {"BootNotification", "StatusNotification", "MeterValues", "StartTransaction", "StopTransaction"}
    )
    noted_only = (
        "FirmwareStatusNotification", "DiagnosticsStatusNotification", "LogStatusNotification",
        "SecurityEventNotification", "SignedFirmwareStatusNotification",
    )  # fmt: skip
    whole_purpose = "ChargePointMaxProfile"

    def own_handlers(self) -> Mapping[str, Handler]:
        """See Session."""
        return {
            "StatusNotification": self._status,
            "MeterValues": self._meter_values,
            "Authorize": self._authorize,
            "StartTransaction": self._start,
            "StopTransaction": self._stop,
        }

    def start_call(self, connector: int) -> Request:
        """See Session."""
        return Request("RemoteStartTransaction", {"connectorId": connector, "idTag": self.token()})

    def stop_call(self, key: str) -> Request:
        """See Session."""
        if not key.isdecimal() or int(key) > NUMBER_MAX:
            raise Refusal("no_transaction")  # it was begun by another version of OCPP
        return Request("RemoteStopTransaction", {"transactionId": int(key)})

    def limit_call(self, connector: int, limit: Limit) -> Request:
        """See Session."""
        profile = {"chargingProfileId": limit.number, **limit.fields, "chargingSchedule": limit.schedule}
        return Request("SetChargingProfile", {"connectorId": connector, "csChargingProfiles": profile})

    def unlock_call(self, connector: int) -> Request:
        """See Session."""
        return Request("UnlockConnector", {"connectorId": connector}, ("Unlocked",))

    def reset_call(self, hard: bool) -> Request:
        """See Session."""
        return Request("Reset", {"type": "Hard" if hard else "Soft"})

    def availability_call(self, connector: int, status: str) -> Request:
        """See Session."""
        return Request("ChangeAvailability", {"connectorId": connector, "type": status}, ("Accepted", "Scheduled"))

    def reserve_call(self, connector: int, number: int, until: str) -> Request:
        """See Session."""
        who = {"idTag": self.token(), "reservationId": number}
        return Request("ReserveNow", {"connectorId": connector, "expiryDate": until, **who})

    def firmware_call(self, location: str, now: str) -> Request:
        """See Session."""
        return Request("UpdateFirmware", {"location": location, "retrieveDate": now}, ("",))

    def diagnostics_call(self, location: str) -> Request:
        """See Session."""
        return Request("GetDiagnostics", {"location": location}, ("",))

    def list_version(self, answer: Payload) -> int:
        """See Session."""
        return int(answer.get("listVersion", -1))

    def list_update(self, version: int, update: str, tokens: Sequence[DesiredToken]) -> Payload:
        """See Session."""
        entries = [
            {"idTag": token.id_tag, "idTagInfo": _info(decide(token, self.site.now_ms()))}
            for token in tokens
            if len(token.id_tag) <= ID_TAG_LENGTH_MAX
        ]
        return {"listVersion": version, "updateType": update, "localAuthorizationList": entries}

    def _status(self, payload: Payload) -> Payload:
        self.statuses[payload["connectorId"]] = payload["status"]
        if "timestamp" not in payload or not self.site.is_repeat(self.charge_point, "StatusNotification", payload):
            self.site.read(self.version, self.charge_point, "StatusNotification", payload)
        return {}

    def _authorize(self, payload: Payload) -> Payload:
        return {"idTagInfo": _info(self.site.decide(self.charge_point, payload["idTag"]))}

    def _meter_values(self, payload: Payload) -> Payload:
        if self.site.is_repeat(self.charge_point, "MeterValues", payload):
            return {}
        one = self._transaction(payload.get("transactionId"))
        register = latest_register(payload["meterValue"], self.site.now_ms())
        if one is not None and one.goes_on and register is not None:
            self.site.book.meter(one, register.wh, register.moment)
        self.site.read(self.version, self.charge_point, "MeterValues", payload, session_energy(one))
        return {}

    def _transaction(self, number: object) -> Transaction | None:
        return self.site.book.find(self.charge_point, str(number))

    def _start(self, payload: Payload) -> Payload:
        moment = self.site.moment(payload["timestamp"])
        digest = digest_of("StartTransaction", payload)
        one = self.site.book.started_by(self.charge_point, digest, moment.unsure)
        if one is None:
            connector = payload["connectorId"]
            decision = self.site.decide_start(self.charge_point, connector, payload["idTag"])
            one = self.begin(
                Begin(
                    charge_point=self.charge_point,
                    connector=connector,
                    key=self._new_number(),
                    token=decision.name,
                    moment=moment,
                    meter_wh=float(payload["meterStart"]),
                    offline=self.was_offline(moment),
                    start=digest,
                )
            )
            one.answers["start"] = decision.status  # a repeat gets the same answer
            self.site.read(self.version, self.charge_point, "StartTransaction", payload, session_energy(one))
        return {"transactionId": int(one.key), "idTagInfo": {"status": one.answers["start"]}}

    def _new_number(self) -> str:
        while True:
            number = str(self.chance.randint(1, NUMBER_MAX))
            if self.site.book.find(self.charge_point, number) is None:
                return number

    def _stop(self, payload: Payload) -> Payload:
        one = self._transaction(payload["transactionId"])
        if one is None:
            self.site.refuse(self.version, self.charge_point, "transaction_unknown", "StopTransaction", payload)
            return {}  # nothing better would come of another try
        if one.goes_on:
            moment = self.site.moment(payload["timestamp"])
            reason = payload.get("reason", "Local")
            self.site.book.end(one, moment, float(payload["meterStop"]), reason, self.was_offline(moment))
            known = {**session_energy(one), "connectorId": one.connector}
            self.site.read(self.version, self.charge_point, "StopTransaction", payload, known)
        id_tag = payload.get("idTag")
        return {"idTagInfo": _info(self.site.decide(self.charge_point, id_tag))} if id_tag else {}


def _info(decision: Decision) -> Payload:
    expiry = {"expiryDate": written(decision.expires_ms)} if decision.expires_ms else {}
    return {"status": decision.status, **expiry}
