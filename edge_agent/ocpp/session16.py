"""OCPP 1.6: what a charge point says becomes readings and transactions, and what it is answered."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.downlink import Outcome
from edge_agent.ocpp.authorisation import Decision
from edge_agent.ocpp.calls import Link
from edge_agent.ocpp.moments import written
from edge_agent.ocpp.site import Site, digest_of
from edge_agent.ocpp.transactions import Begin, Transaction
from edge_agent.ocpp.validation import CallRefused
from edge_agent.ocpp.values import registers
from edge_agent.ocpp.verbs16 import Refusal, request16

VERSION = "1.6"
HEARTBEAT_S = 300
PENDING_S = 60
NUMBER_MAX = 2**31 - 1

Payload = dict[str, Any]


class Session16:
    """One charge point that speaks 1.6.

    since_ms  when its connection began: what it says of before was without connection
    """

    version = VERSION
    recorded = frozenset(
        {"BootNotification", "StatusNotification", "MeterValues", "StartTransaction", "StopTransaction"}
    )
    """Calls that are answered only once what they say is on disk."""

    def __init__(self, site: Site, charge_point: str, since_ms: int, chance: random.Random) -> None:
        self.site = site
        self.charge_point = charge_point
        self.since_ms = since_ms
        self.statuses: dict[int, str] = {}
        self._chance = chance
        self._answers: Mapping[str, Callable[[Payload], Payload]] = {
            "BootNotification": self._boot,
            "Heartbeat": self._heartbeat,
            "StatusNotification": self._status,
            "MeterValues": self._meter_values,
            "Authorize": self._authorize,
            "StartTransaction": self._start,
            "StopTransaction": self._stop,
            "DataTransfer": lambda payload: {"status": "UnknownVendorId"},
            "FirmwareStatusNotification": self._noted("FirmwareStatusNotification"),
            "DiagnosticsStatusNotification": self._noted("DiagnosticsStatusNotification"),
            "SecurityEventNotification": self._noted("SecurityEventNotification"),
            "LogStatusNotification": self._noted("LogStatusNotification"),
            "SignedFirmwareStatusNotification": self._noted("SignedFirmwareStatusNotification"),
        }
        self.notes: dict[str, str] = {}

    def answer(self, action: str, payload: Payload) -> Payload:
        """What is to be answered, once all that it has changed is on disk. Raises CallRefused."""
        handler = self._answers.get(action)
        if handler is None:
            raise CallRefused("NotImplemented", f"{action} is not something that a charge point asks us")
        return handler(payload)

    def _boot(self, payload: Payload) -> Payload:
        accepted = self.site.is_registered(self.charge_point)
        if accepted:
            self.site.read(VERSION, self.charge_point, "BootNotification", payload)
        return {
            "status": "Accepted" if accepted else "Pending",
            "currentTime": written(self.site.now_ms()),
            "interval": HEARTBEAT_S if accepted else PENDING_S,
        }

    def _heartbeat(self, payload: Payload) -> Payload:
        return {"currentTime": written(self.site.now_ms())}

    def _status(self, payload: Payload) -> Payload:
        self.statuses[payload["connectorId"]] = payload["status"]
        if "timestamp" not in payload or not self.site.is_repeat(self.charge_point, "StatusNotification", payload):
            self.site.read(VERSION, self.charge_point, "StatusNotification", payload)
        return {}

    def _noted(self, action: str) -> Callable[[Payload], Payload]:
        def note(payload: Payload) -> Payload:
            self.notes[action] = str(payload.get("status") or payload.get("type") or "")
            return {}

        return note

    def _authorize(self, payload: Payload) -> Payload:
        return {"idTagInfo": _info(self.site.decide(self.charge_point, payload["idTag"]))}

    def _meter_values(self, payload: Payload) -> Payload:
        if self.site.is_repeat(self.charge_point, "MeterValues", payload):
            return {}
        one = self._transaction(payload.get("transactionId"))
        if one is not None and one.goes_on:
            for register in registers(payload["meterValue"], self.site.now_ms()):
                self.site.book.meter(one, register.wh, register.moment.at_ms)
        self.site.read(VERSION, self.charge_point, "MeterValues", payload, _known(one))
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
            one = self.site.book.begin(
                Begin(
                    charge_point=self.charge_point,
                    connector=connector,
                    key=self._new_number(),
                    token=decision.name,
                    moment=moment,
                    meter_wh=float(payload["meterStart"]),
                    offline=not moment.unsure and moment.at_ms < self.since_ms,
                    start=digest,
                )
            )
            one.answers["start"] = decision.status  # a repeat gets the same answer
            self.site.read(VERSION, self.charge_point, "StartTransaction", payload, _known(one))
        return {"transactionId": int(one.key), "idTagInfo": {"status": one.answers["start"]}}

    def _new_number(self) -> str:
        while True:
            number = str(self._chance.randint(1, NUMBER_MAX))
            if self.site.book.find(self.charge_point, number) is None:
                return number

    def _stop(self, payload: Payload) -> Payload:
        one = self._transaction(payload["transactionId"])
        if one is None:
            self.site.refuse(VERSION, self.charge_point, "transaction_unknown", "StopTransaction", payload)
            return {}  # nothing better would come of another try
        if one.goes_on:
            now_ms = self.site.now_ms()
            for register in registers(payload.get("transactionData"), now_ms):
                self.site.book.meter(one, register.wh, register.moment.at_ms)
            moment = self.site.moment(payload["timestamp"])
            offline = not moment.unsure and moment.at_ms < self.since_ms
            reason = payload.get("reason", "Local")
            self.site.book.end(one, moment, float(payload["meterStop"]), reason, offline)
            known = {**_known(one), "connectorId": one.connector}
            self.site.read(VERSION, self.charge_point, "StopTransaction", payload, known)
        id_tag = payload.get("idTag")
        return {"idTagInfo": _info(self.site.decide(self.charge_point, id_tag))} if id_tag else {}

    async def act(self, link: Link, verb: str, connector: int, args: Payload) -> Outcome:
        """Carry out a verb. Raises CallRefused and NotAnswered."""
        here = self.site.book.open_at(self.charge_point, connector)
        token = self.site.remote_token(self.charge_point)
        try:
            request = request16(verb, connector, args, here.key if here else None, token, self.site.now_ms())
        except Refusal as error:
            return Outcome("failed", str(error))
        status = str((await link.call(request.action, request.payload)).get("status", ""))
        return (
            Outcome("succeeded", "")
            if status in request.good
            else Outcome("failed", f"{request.action}: {status}"[:128])
        )


def _known(one: Transaction | None) -> Payload:
    return {"sessionEnergy": round(one.energy_wh, 3)} if one is not None else {}


def _info(decision: Decision) -> Payload:
    expiry = {"expiryDate": written(decision.expires_ms)} if decision.expires_ms else {}
    return {"status": decision.status, **expiry}
