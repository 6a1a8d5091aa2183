"""What one charge point says and is told, as far as it is the same in all versions of OCPP."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from contracts.messages import DesiredToken
from edge_agent.downlink import Outcome
from edge_agent.ocpp.calls import Link
from edge_agent.ocpp.moments import Moment, written
from edge_agent.ocpp.site import Site
from edge_agent.ocpp.transactions import Begin, Transaction
from edge_agent.ocpp.validation import CallRefused

HEARTBEAT_S = 300
PENDING_S = 60
"""So often a charge point that nobody has registered asks again."""
UNLIMITED_S = 10
"""And one that has not confirmed its limits yet, unless it is asked to."""
MINUTE_MS = 60_000
ALWAYS = "1970-01-01T00:00:00Z"
"""A profile that begins then holds by any clock."""
NUMBER_MAX = 2**31 - 1
OPEN_MAX = 64
"""Transactions of one charge point that go on at once. None has so many connectors: what begins more is broken."""

Payload = dict[str, Any]
Handler = Callable[[Payload], Payload]


class Request(NamedTuple):
    """A call for a charge point. good: statuses in its answer that mean that it obeys; "" where an answer has none."""

    action: str
    payload: Payload
    good: tuple[str, ...] = ("Accepted",)


class Limit(NamedTuple):
    """A charging profile of one limit, A a phase. valid: from when to when; None: for good."""

    number: int
    purpose: str
    amps: float
    stack: int = 0
    valid: tuple[str, str] | None = None

    @property
    def fields(self) -> Payload:
        """The profile but for its number and schedule, which the versions write differently."""
        valid = {"validFrom": self.valid[0], "validTo": self.valid[1]} if self.valid else {}
        purpose = {"chargingProfilePurpose": self.purpose, "chargingProfileKind": "Absolute"}
        return {"stackLevel": self.stack, **purpose, **valid}

    @property
    def schedule(self) -> Payload:
        """Its one period."""
        return {
            "chargingRateUnit": "A",
            "startSchedule": self.valid[0] if self.valid else ALWAYS,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": round(self.amps, 1)}],
        }


class Refusal(Exception):
    """The verb makes no sense now; the reason is a snake_case word."""


class Session:
    """One charge point, connected.

    since_ms  when its connection began: what it says of before was without connection
    lets_in   whether it may go on now that it has started; True: it says so for the first time
    list_due  set when the list of tokens may have changed
    statuses  of its connectors, as last said; notes: the last word on firmware, diagnostics, security
    """

    version: ClassVar[str]
    recorded: ClassVar[frozenset[str]]
    """Calls that are answered only once what they say is on disk."""
    noted_only: ClassVar[tuple[str, ...]]
    """Calls of which the last word is kept, and nothing done."""
    whole_purpose: ClassVar[str]
    """What a profile that bounds the whole charge point is called."""

    def __init__(
        self, site: Site, charge_point: str, since_ms: int, lets_in: Callable[[bool], bool], chance: random.Random
    ) -> None:
        self.site = site
        self.charge_point = charge_point
        self.since_ms = since_ms
        self.statuses: dict[int, str] = {}
        self.notes: dict[str, str] = {}
        self.list_due = asyncio.Event()
        self.chance = chance
        self._lets_in = lets_in
        self._booted = False
        self._handlers = self.handlers()

    def handlers(self) -> Mapping[str, Handler]:
        """By action: from a call's payload, which fits its schema, to the answer's."""
        return {
            "BootNotification": self.boot,
            "Heartbeat": self.heartbeat,
            "DataTransfer": lambda payload: {"status": "UnknownVendorId"},
            "SignCertificate": lambda payload: {"status": "Rejected"},
            **{action: self.noted(action) for action in self.noted_only},
            **self.own_handlers(),
        }

    def own_handlers(self) -> Mapping[str, Handler]:
        """Of ``handlers``, those whose payloads are this version's own."""
        raise NotImplementedError

    def request(self, verb: str, connector: int, args: Payload) -> Request:
        """The call that a verb is, in this version's words. Raises Refusal."""
        match verb:
            case "start_charging":
                return self.start_call(connector)
            case "stop_charging":
                return self.stop_call(self.open_at(connector).key)
            case "set_current_limit":
                return self.limit_call(connector, Limit(connector, "TxDefaultProfile", args["current"]))
            case "unlock_connector":
                return self.unlock_call(connector)
            case "reset" | "reset_hard":
                return self.reset_call(hard=verb == "reset_hard")
            case "make_available" | "make_unavailable":
                status = "Operative" if verb == "make_available" else "Inoperative"
                return self.availability_call(connector, status)
            case "reserve":
                until = written(self.site.now_ms() + int(args["duration"] * MINUTE_MS))
                return self.reserve_call(connector, reservation(connector), until)
            case "cancel_reservation":
                return Request("CancelReservation", {"reservationId": reservation(connector)})
            case "update_firmware":
                return self.firmware_call(self.address(verb), written(self.site.now_ms()))
            case "send_diagnostics":
                return self.diagnostics_call(self.address(verb))
        raise Refusal("verb_unsupported")

    def whole_limit(self, number: int, stack: int, amps: float, valid: tuple[str, str] | None) -> Request:
        """The call that bounds the whole charge point. valid: from when to when; None: for good."""
        return self.limit_call(0, Limit(number, self.whole_purpose, amps, stack, valid))

    def start_call(self, connector: int) -> Request:
        """Begin to charge."""
        raise NotImplementedError

    def stop_call(self, key: str) -> Request:
        """End the transaction that the charge point calls so. Raises Refusal."""
        raise NotImplementedError

    def limit_call(self, connector: int, limit: Limit) -> Request:
        """Bound a connector; 0: the whole charge point."""
        raise NotImplementedError

    def unlock_call(self, connector: int) -> Request:
        """Let the plug go."""
        raise NotImplementedError

    def reset_call(self, hard: bool) -> Request:
        """Start again."""
        raise NotImplementedError

    def availability_call(self, connector: int, status: str) -> Request:
        """status: Operative, Inoperative. connector 0: the whole charge point."""
        raise NotImplementedError

    def reserve_call(self, connector: int, number: int, until: str) -> Request:
        """Keep it for a token."""
        raise NotImplementedError

    def firmware_call(self, location: str, now: str) -> Request:
        """Fetch new firmware from there."""
        raise NotImplementedError

    def diagnostics_call(self, location: str) -> Request:
        """Put its logs there."""
        raise NotImplementedError

    def list_version(self, answer: Payload) -> int:
        """The version of the list that it keeps: 0 none yet, below 0 it keeps none."""
        raise NotImplementedError

    def list_update(self, version: int, update: str, tokens: Sequence[DesiredToken]) -> Payload:
        """The list, or a part of it."""
        raise NotImplementedError

    def answer(self, action: str, payload: Payload) -> Payload:
        """What is to be answered, once all that it has changed is on disk. Raises CallRefused."""
        handler = self._handlers.get(action)
        if handler is None:
            raise CallRefused("NotImplemented", f"{action} is not something that a charge point asks us")
        return handler(payload)

    async def act(self, link: Link, verb: str, connector: int, args: Payload) -> Outcome:
        """Carry out a verb. Raises CallRefused and NotAnswered."""
        try:
            request = self.request(verb, connector, args)
        except Refusal as error:
            return Outcome("failed", str(error))
        status = str((await link.call(request.action, request.payload)).get("status", ""))
        return (
            Outcome("succeeded") if status in request.good else Outcome("failed", f"{request.action}: {status}"[:128])
        )

    # --- for the versions ---

    def boot(self, payload: Payload) -> Payload:
        """BootNotification: only who is registered, and can't draw more than there is, may go on."""
        registered = self.site.is_registered(self.charge_point)
        accepted = registered and self._lets_in(not self._booted)
        self._booted = registered
        if accepted:
            self.site.read(self.version, self.charge_point, "BootNotification", payload)
        return {
            "status": "Accepted" if accepted else "Pending",
            "currentTime": written(self.site.now_ms()),
            "interval": HEARTBEAT_S if accepted else UNLIMITED_S if registered else PENDING_S,
        }

    def heartbeat(self, payload: Payload) -> Payload:
        """Heartbeat: sets the charge point's clock."""
        return {"currentTime": written(self.site.now_ms())}

    def noted(self, action: str) -> Handler:
        """A handler that only remembers the last word."""

        def note(payload: Payload) -> Payload:
            self.notes[action] = str(payload.get("status") or payload.get("type") or "")
            return {}

        return note

    def was_offline(self, moment: Moment) -> bool:
        """Whether this was before it was connected."""
        return not moment.unsure and moment.at_ms < self.since_ms

    def begin(self, begin: Begin) -> Transaction:
        """A transaction begins. Raises CallRefused when too many go on here."""
        elsewhere = [
            one
            for one in self.site.book.open
            if one.charge_point == self.charge_point and one.connector != begin.connector
        ]
        if len(elsewhere) >= OPEN_MAX:
            raise CallRefused("GenericError", f"too many transactions: {OPEN_MAX} go on at this charge point")
        return self.site.book.begin(begin)

    def open_at(self, connector: int) -> Transaction:
        """The transaction that goes on there. Raises Refusal."""
        one = self.site.book.open_at(self.charge_point, connector)
        if one is None:
            raise Refusal("no_transaction")
        return one

    def token(self) -> str:
        """For what it is asked to start."""
        return self.site.remote_token(self.charge_point)

    def address(self, verb: str) -> str:
        """Where the site's settings have it fetch or put what the verb is about. Raises Refusal."""
        charging = self.site.charging
        found = charging.firmware_url if verb == "update_firmware" else charging.diagnostics_url
        if not found:
            raise Refusal("no_address")
        return found


def reservation(connector: int) -> int:
    """The number of a reservation: there is one a connector."""
    return 1_000 + connector


def session_energy(one: Transaction | None) -> Payload:
    """For the profiles: the energy of the transaction so far."""
    return {"sessionEnergy": round(one.energy_wh, 3)} if one is not None else {}
