"""Downward: commands."""

from typing import Any

from contracts.messages.base import Message


class Precondition(Message, kw_only=True):
    """A metric's latest value that must hold at the gateway at the moment of acting.

    if_known  a value that the gateway does not know, or that is too old, is no hindrance; one that differs is
    """

    metric: str
    equals: bool | int | float | str
    age_ms_max: int = 60_000
    if_known: bool = False


class Command(Message, kw_only=True):
    """One command for one device. The verb and its arguments are in ``contracts.verbs``.

    gateway    whom it is for
    signature  see ``contracts.signature``; it stays the last field, ``key_id`` names the key
    """

    command_id: str
    device: str
    verb: str
    args: dict[str, Any] = {}
    ttl_ms: int  # what is left of it when sent; counted by the gateway's monotonic clock from receipt
    issuer: str
    issued_ms: int
    sent_ms: int = 0  # by the cloud's clock: whatever kept it on the way for longer than its time to live, it is over
    precondition: Precondition | None = None
    cancel: bool = False  # withdraw a command of this id that has not begun
    gateway: str = ""
    key_id: str = ""
    signature: bytes = b""
