"""Upward, inside frames (see contracts.frame): records beside the readings."""

from typing import Literal

from contracts.messages.base import Lane, Message


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
