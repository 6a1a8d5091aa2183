"""The messages between gateway and cloud, as msgspec structs in MessagePack.

Unknown fields are ignored; a field may be added with a default, never renamed or re-used. ``docs/asyncapi.yaml``
describes them and a test holds it against these structs. Times are ms UTC; durations are ms.
"""

from typing import Any, Literal

import msgspec

Lane = Literal["urgent", "bulk"]


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every message has in common."""


# --- upward, inside frames (see contracts.frame): records beside the readings ---


class DeviceSeen(Message, kw_only=True, tag="device_seen"):
    """Inventory: a gateway has read a device for the first time, or its profile changed."""

    device: str
    profile: str  # profile id, e.g. "milesight/em400-tld"
    profile_version: int
    kind: str  # facility kind, see contracts.vocabulary.KINDS
    verbs: list[str] = []  # verbs its profile can carry out
    name: str = ""  # what the device or its network calls it
    at_ms: int


class CommandProgress(Message, kw_only=True, tag="command_progress"):
    """The gateway's word on a command: it was received, is executing, or how it ended."""

    command_id: str
    state: Literal["received", "executing", "succeeded", "failed", "rejected", "expired", "cancelled", "unknown"]
    reason: str = ""
    at_ms: int


class Refused(Message, kw_only=True, tag="refused"):
    """Quarantine: a device's message that could not be read. ``head`` is its first bytes, 256 at most."""

    topic: str
    reason: str  # snake_case word, e.g. "json_invalid"
    detail: str = ""
    profile: str = ""
    head: bytes = b""
    size_bytes: int
    count: int = 1  # further refusals of the same topic and reason folded into this one
    at_ms: int


class Dropped(Message, kw_only=True, tag="dropped"):
    """A declared drop: whole frames that the outbox gave up by its policy. Counted in the ledger."""

    epoch: str
    lane: Lane
    first_seq: int
    last_seq: int
    samples: int
    reason: str  # "size_cap" | "age_cap" | "disk_floor" | "file_damaged"
    at_ms: int


class Reported(Message, kw_only=True, tag="reported"):
    """The version of the desired state that the gateway applied, or why it did not."""

    version: int
    applied: bool
    reason: str = ""
    at_ms: int


Record = DeviceSeen | CommandProgress | Refused | Dropped | Reported


# --- upward, retained ---


class LaneState(Message, kw_only=True):
    """One lane of the outbox, counted in samples, as the ledger needs it."""

    epoch: str
    lane: Lane
    last_seq: int  # 0: no frame yet
    produced: int  # samples ever framed in this epoch and lane
    oldest_unacked_seq: int  # last_seq + 1 when everything is acked
    buffered: int  # samples in unacked frames
    dropped: int  # samples given up by policy


class GatewayState(Message, kw_only=True):
    """Retained birth, heartbeat and death. Death is the will: same ``session``, online False, no lanes."""

    online: bool
    session: str  # random, one a connection; pairs a death with its birth
    at_ms: int = 0
    agent_version: str = ""
    desired_version: int = 0
    clock_trusted: bool = True
    outbox_bytes: int = 0
    outbox_bytes_max: int = 0
    lanes: list[LaneState] = []


# --- downward ---


class IngestState(Message, kw_only=True):
    """Retained: whether ingest is there. Edges hold their frames while it is not."""

    online: bool
    session: str
    at_ms: int = 0


class FrameAck(Message, kw_only=True):
    """Which frames of one epoch and lane the frame log holds. Cumulative and idempotent.

    ranges    inclusive [first, last] pairs, ascending, disjoint; at most 64, the newest and the lowest kept
    rejected  seqs that were quarantined: they will never be stored, the edge need not send them again
    """

    epoch: str
    lane: Lane
    ranges: list[tuple[int, int]]
    rejected: list[int] = []


class Precondition(Message, kw_only=True):
    """A metric's latest value that must hold at the gateway at the moment of acting."""

    metric: str
    equals: bool | int | float | str
    age_ms_max: int = 60_000


class Command(Message, kw_only=True):
    """One command for one device. The verb and its arguments are in ``contracts.verbs``."""

    command_id: str
    device: str
    verb: str
    args: dict[str, Any] = {}
    ttl_ms: int  # what is left of it when sent; counted by the gateway's monotonic clock from receipt
    issuer: str
    issued_ms: int
    precondition: Precondition | None = None
    cancel: bool = False  # withdraw a command of this id that has not begun


class DesiredDevice(Message, kw_only=True):
    """One device as the registry wants it read: its profile by name, parameters such as a bin's height."""

    device: str
    profile: str = ""
    parameters: dict[str, float] = {}


class DesiredState(Message, kw_only=True):
    """The one versioned document a gateway applies. Applying it never touches the outbox."""

    version: int
    devices: list[DesiredDevice] = []
