"""The messages between gateway and cloud, as msgspec structs in MessagePack.

Unknown fields are ignored; a field may be added with a default, never renamed or re-used. ``docs/asyncapi.yaml``
describes them and a test holds it against these structs. Times are ms UTC; durations are ms.
"""

from typing import Any, Literal

import msgspec

Lane = Literal["urgent", "bulk"]

DESIRED_BYTES_MAX = 917_504
"""A DesiredState as MessagePack: one MQTT message, and brokers end the session of who sends a larger one than they take.
Those in broker_config/ take 1,048,576 bytes in all."""


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
    samples: int  # 0: not known; the ledger takes what the gap holds
    reason: str  # size_cap, age_cap, disk_floor, frame_damaged, file_damaged, not_kept (asked for again, gone)
    at_ms: int


class EpochBegun(Message, kw_only=True, tag="epoch_begun"):
    """The outbox has begun a new epoch, and why; frames of the one before that are still there are sent as they are.

    reason  "file_damaged", or "copied": the cloud holds frames under numbers that this outbox has not given yet
    """

    before: str
    epoch: str
    reason: str
    at_ms: int


class ClockHealed(Message, kw_only=True, tag="clock_healed"):
    """Arrival times in this frame were taken by a wrong clock and have been moved by ``shift_ms`` before it was sent.

    The time as it was taken is ``received_ms - shift_ms``. error_ms bounds what may still be wrong.
    """

    shift_ms: int
    error_ms: int
    at_ms: int


class Reported(Message, kw_only=True, tag="reported"):
    """The version of the desired state that the gateway applied, or why it did not.

    refused  profile id -> why the gateway did not take that version of it; what it had before still holds
    """

    version: int
    applied: bool
    reason: str = ""
    refused: dict[str, str] = {}
    at_ms: int


class Recovered(Message, kw_only=True, tag="recovered"):
    """Messages that had been refused were read after all, by a profile that came later; their readings are in frames.

    still  of the messages that the gateway had kept, how many this profile can't read either
    """

    topic: str
    profile: str
    profile_version: int
    count: int
    still: int = 0
    at_ms: int


class Proposal(Message, kw_only=True):
    """A profile that could read what comes on a topic that none is bound to, and what it would read.

    score   0..1: how well it fits; docs/discovery.md says how it is counted
    values  metric -> value, of the last message
    """

    profile: str
    profile_version: int
    kind: str
    score: float
    device: str
    values: dict[str, bool | int | float | str] = {}


class Discovered(Message, kw_only=True, tag="discovered"):
    """Something speaks on the local broker that no profile reads: the topic, how much came, and who might read it.

    Said whole each time: the last one of a topic counts. ``head`` is the first bytes of the last message, 256 at most.
    """

    topic: str
    count: int
    size_bytes: int
    head: bytes = b""
    proposals: list[Proposal] = []  # the best first, 3 at most
    first_ms: int
    at_ms: int


class ChargingTransaction(Message, kw_only=True, tag="charging_transaction"):
    """A charging transaction as the gateway knows it, said whole each time: of one id the highest ``seq`` counts.

    transaction  born at the gateway, unique for good
    device       the connector's external id
    token        alias of the card or app by which it was begun (``DesiredToken.name``), never its number; "" unknown
    energy_wh    by the difference of the charger's register from its begin
    ended_ms     0 while it goes on; reason: why it ended, in OCPP's words
    offline      it was begun, or ended, without connection: the times are the charge point's
    time_unsure  the charge point's clock was impossible; the times are the gateway's best knowledge
    """

    transaction: str
    seq: int
    device: str
    charge_point: str
    token: str = ""
    started_ms: int
    meter_start_wh: float
    meter_wh: float
    energy_wh: float
    ended_ms: int = 0
    reason: str = ""
    offline: bool = False
    time_unsure: bool = False
    at_ms: int


class CertificateWanted(Message, kw_only=True, tag="certificate_wanted"):
    """Two thirds of the life of a gateway's certificate are over: it asks for the next one, for a new key.

    request  PKCS#10 in DER, signed by the new key
    serial   of the certificate in use, hexadecimal; proof: ECDSA with SHA-256 over ``request`` by that one's key, so that
             nobody between gateway and cloud can ask in its name
    """

    request: bytes
    serial: str
    proof: bytes
    at_ms: int


Record = (
    DeviceSeen
    | CommandProgress
    | Refused
    | Dropped
    | Reported
    | EpochBegun
    | ClockHealed
    | Recovered
    | Discovered
    | ChargingTransaction
    | CertificateWanted
)


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
    """Retained birth, heartbeat and death. Death is the will: same ``session``, online False, no lanes; one with ``at_ms``
    is the gateway's own word that it leaves."""

    online: bool
    session: str  # random, one a connection; pairs a death with its birth
    instance: str = ""  # names the machine and folder of this outbox; a copied one has another
    at_ms: int = 0
    agent_version: str = ""
    desired_version: int = 0
    clock_trusted: bool = True  # False: the machine's clock was impossible and the cloud has not yet given the time
    clock_error_ms: int = -1  # bound of the clock's error, measured against the cloud; -1: never measured
    outbox_bytes: int = 0
    outbox_bytes_max: int = 0
    outbox_hours_until_full: float | None = None  # at the present rate; None: it does not fill
    ask: bool = False  # the gateway wants a Welcome
    heartbeat_ms: int = 0  # how often it says so; 0: not said
    certificate: str = ""  # serial of the certificate by which this session came in; "": not known
    unheard_ms: int = 0  # for how long it has waited for an answer that is late by now: it says, and hears nothing
    lanes: list[LaneState] = []


# --- downward ---


class IngestState(Message, kw_only=True):
    """Retained: whether ingest is there. Edges hold their frames while it is not."""

    online: bool
    session: str
    at_ms: int = 0


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


class DesiredDevice(Message, kw_only=True):
    """One device as the registry wants it read: its profile by name, parameters such as a bin's height.

    topics  on which its profile reads it beside the profile's own: a discovered topic that was adopted
    """

    device: str
    profile: str = ""
    parameters: dict[str, float] = {}
    topics: list[str] = []


class DesiredProfile(Message, kw_only=True):
    """A profile that the registry wants read with, beside those the agent ships; in place of one of the same id.

    document   YAML, as its author wrote it; digest: BLAKE2b-256 of it
    signature  Ed25519 over profile id, version and digest, see ``contracts.profile_signature``
    """

    profile: str
    version: int
    digest: bytes
    signature: bytes
    document: bytes


class DesiredToken(Message, kw_only=True):
    """A card or app that may charge. name: an alias, what records call it; id_tag: what the charge point reads, a secret."""

    name: str
    id_tag: str
    expires_ms: int = 0  # 0: never
    blocked: bool = False


class DesiredChargePoint(Message, kw_only=True):
    """A charge point that may connect. password_hash: scrypt, see docs/ocpp.md; "" lets it in without (profile 0).

    phase  of the site, 1 to 3, that one with one phase is wired to; 0: not known, so it counts on all three
    """

    charge_point: str
    password_hash: str = ""
    current_max_a: float = 32
    phases: int = 3
    phase: int = 0


class DesiredCharging(Message, kw_only=True):
    """A site's charging, as the gateway's central system keeps it with the cloud away.

    fuse_a          the site's fuse, A a phase, that all chargers together stay below
    fail_safe_a     what a charger may draw on its own when it has lost its link, A a phase; room is kept for it
    free_for_all    whoever comes may charge: tokens that are not known are accepted
    firmware_url    where charge points fetch their firmware when they are told to; "": nowhere
    diagnostics_url where they put their diagnostics when they are told to; "": nowhere
    """

    fuse_a: float
    fail_safe_a: float = 6
    free_for_all: bool = False
    firmware_url: str = ""
    diagnostics_url: str = ""
    charge_points: list[DesiredChargePoint] = []
    tokens: list[DesiredToken] = []


class DesiredState(Message, kw_only=True):
    """The one versioned document a gateway applies. Applying it never touches the outbox.

    away       device -> since when it is another gateway's, ms UTC: what speaks under its id now is told of as new
    gateway    whom it is for
    signature  see ``contracts.signature``; it stays the last field, ``key_id`` names the key
    """

    version: int
    devices: list[DesiredDevice] = []
    profiles: list[DesiredProfile] = []
    charging: DesiredCharging | None = None
    away: dict[str, int] = {}
    gateway: str = ""
    key_id: str = ""
    signature: bytes = b""
