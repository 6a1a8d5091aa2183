"""What all charge points of a site share: the list of tokens, the book of transactions, and the way to disk."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from contracts.messages import DesiredChargePoint, DesiredCharging
from edge_agent.intake import Intake
from edge_agent.ocpp.authorisation import REMOTE, Authorisation, Decision, remote_token
from edge_agent.ocpp.moments import Moment, moment
from edge_agent.ocpp.transactions import Book, Transaction
from edge_agent.ocpp.values import readable, without_secrets
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.southbound import Publish

Kept = TypeVar("Kept")
log = logging.getLogger(__name__)

TRANSACTIONS, LAST, SECRET = "ocpp/transaction/", "ocpp/last/", "ocpp/secret"
TOPIC = "ocpp/{version}/{charge_point}/up"


class Site:
    """Everything here is done at once, on the event loop; ``OutboxWriter.flushed`` then waits until it is on disk.

    intake    takes messages for the profiles
    is_sure   whether the gateway's clock can be right
    new_id    gives ids that are unique for good
    """

    def __init__(
        self,
        writer: OutboxWriter,
        intake: Intake,
        now_ms: Callable[[], int],
        is_sure: Callable[[], bool],
        new_id: Callable[[], str],
    ) -> None:
        self.writer = writer
        self.now_ms = now_ms
        self.charging = DesiredCharging(fuse_a=0)
        self.points: dict[str, DesiredChargePoint] = {}
        self._authorisation = Authorisation()
        self._intake = intake
        self._is_sure = is_sure
        outbox = writer.outbox
        self.book = Book(readable_documents(outbox.documents(TRANSACTIONS), Transaction).values(), new_id)
        self._last = outbox.documents(LAST)
        self._secret = outbox.document(SECRET)
        if not self._secret:
            self._secret = self.writer.pending.documents[SECRET] = new_id().encode()
            self.writer.wake()

    def apply(self, charging: DesiredCharging | None) -> None:
        """The desired state says how this site charges; None: nobody charges here."""
        self.charging = charging or DesiredCharging(fuse_a=0)
        self.points = {point.charge_point: point for point in self.charging.charge_points}
        self._authorisation = Authorisation(self.charging.tokens, self.charging.free_for_all)

    def moment(self, text: object) -> Moment:
        """When a charge point says that something was. While the gateway's own clock can't be right, no time is sure."""
        found = moment(text, self.now_ms())
        return found if self._is_sure() else found._replace(unsure=True)

    def remote_token(self, charge_point: str) -> str:
        """The token for what this charge point is asked to start."""
        return remote_token(self._secret, charge_point)

    def decide(self, charge_point: str, id_tag: str) -> Decision:
        """May this token charge?"""
        if id_tag.casefold() == self.remote_token(charge_point).casefold():
            return Decision("Accepted", REMOTE)
        return self._authorisation.decide(id_tag, self.now_ms())

    def decide_start(self, charge_point: str, connector: int, id_tag: str) -> Decision:
        """May it charge here, now? A token charges at one connector at a time."""
        found = self.decide(charge_point, id_tag)
        named = found.name and found.name != REMOTE
        if found.status == "Accepted" and named and self.book.is_in_use(found.name, charge_point, connector):
            return found._replace(status="ConcurrentTx")
        return found

    def read(
        self, version: str, charge_point: str, action: str, payload: Mapping[str, Any], known: Mapping[str, Any] = {}
    ) -> None:
        """Give a call to the profiles. known: what the gateway adds to it, for them to find."""
        topic = TOPIC.format(version=version, charge_point=charge_point)
        message = msgspec.json.encode([2, "", action, readable(payload, self.now_ms(), known)])
        self._intake.take([Publish(topic, message, 0, False, False, 0)])

    def refuse(self, version: str, charge_point: str, reason: str, detail: str, message: object) -> None:
        """To quarantine, without what is secret in it. message: a document, or bytes where it is none."""
        topic = TOPIC.format(version=version, charge_point=charge_point)
        payload = message if isinstance(message, bytes) else msgspec.json.encode(without_secrets(message))
        self._intake.refuse(topic, payload, reason, detail)

    def refuse_call(self, version: str, charge_point: str, data: bytes, code: str, reason: str) -> None:
        """A message that was answered with an error."""
        try:
            message = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            message = data
        self.refuse(version, charge_point, _snake(code), reason, message)

    def is_repeat(self, charge_point: str, action: str, payload: Mapping[str, Any]) -> bool:
        """Whether this was the last call of this action, and is counted from now on: it was not answered, and comes again.

        Only of a payload that has a time of its own can that be told.
        """
        name = f"{charge_point}/{action}"
        digest = digest_of(action, payload)
        if self._last.get(name) == digest:
            return True
        self._last[name] = self.writer.pending.documents[LAST + name] = digest
        self.writer.wake()
        return False

    def keep(self) -> bool:
        """Put what has changed in the book into the pending batch: records for the cloud, and our own memory.

        Returns whether anything has.
        """
        changes = self.book.take_changes()
        batch = self.writer.pending
        for name, one in changes.keep.items():
            batch.documents[TRANSACTIONS + name] = msgspec.msgpack.encode(one)
        for name in changes.forget:
            batch.documents[TRANSACTIONS + name] = b""
        at_ms = self.now_ms()
        batch.urgent += [one.record(at_ms) for one in changes.say.values()]
        if not changes.keep and not changes.forget:
            return False
        self.writer.wake()
        return True

    def is_registered(self, charge_point: str) -> bool:
        """Whether the desired state names it."""
        return charge_point in self.points


def readable_documents(documents: Mapping[str, bytes], kind: type[Kept]) -> dict[str, Kept]:
    """What was kept, by name; what a damaged disk has spoilt is named in the log and left out."""
    found = {}
    for name, document in documents.items():
        try:
            found[name] = msgspec.msgpack.decode(document, type=kind)
        except msgspec.DecodeError as error:
            log.error("a kept document can't be read", extra={"document": name, "error": str(error)})
    return found


def digest_of(action: str, payload: Mapping[str, Any]) -> bytes:
    """By which a call that comes again is recognised."""
    return hashlib.blake2b(action.encode() + msgspec.json.encode(payload, order="sorted"), digest_size=16).digest()


def _snake(code: str) -> str:
    return "".join(["_" + letter.lower() if letter.isupper() else letter for letter in code]).lstrip("_")
