"""What is committed together: readings, records, the deliveries they came from, devices first seen, command states."""

from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.messages import Record
from contracts.reading import Reading


class Delivery(NamedTuple):
    """A QoS 1 message of the local broker: its packet id, and a hash of topic and payload."""

    packet_id: int
    digest: bytes


class SeenDevice(NamedTuple):
    """What the gateway knows of a device: the profile that reads it, and what it can be told."""

    device: str
    profile: str
    profile_version: int
    kind: str
    verbs: tuple[str, ...]
    name: str


class CommandEntry(NamedTuple):
    """The last word on a command; kept so that a duplicate answers with the first result and never acts twice."""

    command_id: str
    state: str
    reason: str
    at_ms: int


class RawMessage(NamedTuple):
    """A refused message, kept for another try with a mended profile."""

    topic: str
    payload: bytes
    reason: str
    at_ms: int


class KeptMessage(NamedTuple):
    """A raw message as the outbox keeps it, under its number."""

    number: int
    topic: str
    payload: bytes
    reason: str
    at_ms: int


@dataclass(slots=True)
class Batch:
    """One group commit. ``acks``: packet ids to acknowledge once it is on disk (also repeats of what already is).

    number  1, 2, 3... in a run of the agent; in logs it joins a message to its frames
    """

    readings: list[Reading] = field(default_factory=list)
    urgent_readings: list[Reading] = field(default_factory=list)  # money and safety: sent first, dropped last
    bulk: list[Record] = field(default_factory=list)
    urgent: list[Record] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    acks: list[int] = field(default_factory=list)
    seen: list[SeenDevice] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)  # devices; one that is also in ``seen`` came after that
    commands: list[CommandEntry] = field(default_factory=list)
    raw: list[RawMessage] = field(default_factory=list)
    read_after_all: list[int] = field(default_factory=list)  # numbers of kept raw messages whose readings are in here
    documents: dict[str, bytes] = field(default_factory=dict)  # b"": forget it
    session_new: bool = False
    messages: int = 0
    number: int = 1

    @property
    def empty(self) -> bool:
        """Nothing to commit and nothing to acknowledge."""
        return not (
            self.messages or self.readings or self.urgent_readings or self.bulk or self.urgent or self.commands
            or self.session_new or self.documents or self.raw
        )  # fmt: skip
