"""What a charge point has to say, whichever version it speaks."""

from typing import Literal, NamedTuple

from simulators.ocpp.outlet import Session

Kind = Literal["status", "heartbeat", "authorize", "begin", "meter", "end", "firmware", "diagnostics"]


class Meter(NamedTuple):
    """What a connector's meter shows."""

    register_wh: int
    amps: float
    voltage_v: float
    phases: int


class Notice(NamedTuple):
    """One thing to say. said_ms: by the charge point's own clock, which may be wrong.

    word     status, reason of an end, or what a firmware update has come to
    offline  it happened without connection
    turn     the event's number within its transaction
    """

    kind: Kind
    said_ms: int
    connector: int = 0
    session: Session | None = None
    meter: Meter = Meter(0, 0, 0, 0)
    word: str = ""
    token: str = ""
    offline: bool = False
    turn: int = 0
    state: str = ""
