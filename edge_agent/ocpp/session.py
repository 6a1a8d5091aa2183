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


class Refusal(Exception):
    """The verb makes no sense now; the reason is a snake_case word."""


class Session:
    """One charge point, connected.

    since_ms  when its connection began: what it says of before was without connection
    list_due  set when the list of tokens may have changed
    statuses  of its connectors, as last said; notes: the last word on firmware, diagnostics, security
    """

    version: ClassVar[str]
    recorded: ClassVar[frozenset[str]]
    """Calls that are answered only once what they say is on disk."""
    noted_only: ClassVar[tuple[str, ...]]
    """Calls of which the last word is kept, and nothing done."""

    def __init__(self, site: Site, charge_point: str, since_ms: int, chance: random.Random) -> None:
        self.site = site
        self.charge_point = charge_point
        self.since_ms = since_ms
        self.statuses: dict[int, str] = {}
        self.notes: dict[str, str] = {}
        self.list_due = asyncio.Event()
        self.chance = chance
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
        """The call that a verb is. Raises Refusal."""
        raise NotImplementedError

    def whole_limit(self, number: int, stack: int, amps: float, valid: tuple[str, str] | None) -> Request:
        """The call that bounds the whole charge point. valid: from when to when; None: for good."""
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
        """BootNotification: only who is registered may go on."""
        accepted = self.site.is_registered(self.charge_point)
        if accepted:
            self.site.read(self.version, self.charge_point, "BootNotification", payload)
        return {
            "status": "Accepted" if accepted else "Pending",
            "currentTime": written(self.site.now_ms()),
            "interval": HEARTBEAT_S if accepted else PENDING_S,
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

    def reserved_until(self, args: Payload) -> str:
        """When a reservation of ``duration`` minutes ends."""
        return written(self.site.now_ms() + int(args["duration"] * MINUTE_MS))


def reservation(connector: int) -> int:
    """The number of a reservation: there is one a connector."""
    return 1_000 + connector


def session_energy(one: Transaction | None) -> Payload:
    """For the profiles: the energy of the transaction so far."""
    return {"sessionEnergy": round(one.energy_wh, 3)} if one is not None else {}
