"""Downward: the cloud's answers to what gateways send and ask."""

from contracts.messages.base import Lane, Message


class FrameAck(Message, kw_only=True):
    """Which frames of one epoch and lane the frame log holds. Cumulative and idempotent.

    ranges     inclusive [first, last] pairs, ascending, disjoint; at most 64, the newest and the lowest kept
    rejected   seqs that were quarantined: they will never be stored, the edge need not send them again
    conflicts  seqs that the log holds with other bytes: what was sent is NOT stored, though ranges name the seq
    taken      seqs of what has just come that are stored with these bytes; left out when they are more than 64
    """

    epoch: str
    lane: Lane
    ranges: list[tuple[int, int]]
    rejected: list[int] = []
    conflicts: list[int] = []
    taken: list[int] = []


class HeldLane(Message, kw_only=True):
    """What the frame log holds of one lane of one epoch. wanted: what it lacks of what the gateway thinks acknowledged."""

    epoch: str
    lane: Lane
    last_seq: int  # the highest seq that it holds, 0: none
    last_digest: bytes = b""  # BLAKE2b-128 over that frame: another one here means that the outbox was copied
    ranges: list[tuple[int, int]] = []
    wanted: list[tuple[int, int]] = []


class Welcome(Message, kw_only=True):
    """The answer to a gateway's state that asks: what the cloud holds of it, what it wants again, and the time.

    session    of the state that is answered; to_ms: its own at_ms, so that the gateway knows how long the way is
    waited_ms  of that the question has lain so long in the cloud, before at_ms
    fenced     another instance of this gateway is alive: send nothing, buffer, and ask again later
    """

    session: str
    at_ms: int
    to_ms: int
    waited_ms: int = 0
    lanes: list[HeldLane] = []
    fenced: bool = False


class CertificateIssued(Message, kw_only=True):
    """The answer to CertificateWanted. serial: of the certificate that asked; reason: why there is none, a stable word."""

    serial: str
    certificate: str = ""  # PEM, with its chain
    reason: str = ""
