"""Downward, retained: the desired state of a gateway, as one document."""

from contracts.messages.base import Message

DESIRED_BYTES_MAX = 917_504
"""A DesiredState as MessagePack: one MQTT message, and brokers end the session of who sends a larger one than they take.
Those in broker_config/ take 1,048,576 bytes in all."""


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
