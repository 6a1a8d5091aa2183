"""Linli's verbs in OCPP 1.6: which call each is, and what in its answer means that the charge point obeys. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from edge_agent.ocpp.moments import written

MINUTE_MS = 60_000


class Request(NamedTuple):
    """A call for a charge point. good: statuses in its answer that mean yes."""

    action: str
    payload: dict[str, Any]
    good: frozenset[str] = frozenset({"Accepted"})


class Refusal(Exception):
    """The verb makes no sense now; the reason is a snake_case word."""


def request16(
    verb: str, connector: int, args: Mapping[str, Any], transaction: str | None, token: str, now_ms: int
) -> Request:
    """The call for a verb. transaction: the number of the one that goes on there. Raises Refusal."""
    if verb == "start_charging":
        return Request("RemoteStartTransaction", {"connectorId": connector, "idTag": token})
    if verb == "stop_charging":
        if transaction is None:
            raise Refusal("no_transaction")
        return Request("RemoteStopTransaction", {"transactionId": int(transaction)})
    if verb == "unlock_connector":
        return Request("UnlockConnector", {"connectorId": connector}, frozenset({"Unlocked"}))
    if verb in ("reset", "reset_hard"):
        return Request("Reset", {"type": "Hard" if verb == "reset_hard" else "Soft"})
    if verb in ("make_available", "make_unavailable"):
        kind = "Operative" if verb == "make_available" else "Inoperative"
        return Request(
            "ChangeAvailability", {"connectorId": connector, "type": kind}, frozenset({"Accepted", "Scheduled"})
        )
    if verb == "reserve":
        until = written(now_ms + int(args["duration"] * MINUTE_MS))
        return Request(
            "ReserveNow",
            {"connectorId": connector, "expiryDate": until, "idTag": token, "reservationId": reservation(connector)},
        )
    if verb == "cancel_reservation":
        return Request("CancelReservation", {"reservationId": reservation(connector)})
    raise Refusal("verb_unsupported")


def reservation(connector: int) -> int:
    """The number of a reservation: there is one a connector."""
    return 1000 + connector
