"""The messages between gateway and cloud, as msgspec structs in MessagePack.

Unknown fields are ignored; a field may be added with a default, never renamed or re-used. ``docs/asyncapi.yaml``
describes them and a test holds it against these structs. Times are ms UTC; durations are ms.
"""

from contracts.messages.answers import CertificateIssued, FrameAck, HeldLane, Welcome
from contracts.messages.base import Lane, Message
from contracts.messages.commands import Command, Precondition
from contracts.messages.desired import (
    DESIRED_BYTES_MAX,
    DesiredChargePoint,
    DesiredCharging,
    DesiredDevice,
    DesiredProfile,
    DesiredState,
    DesiredToken,
)
from contracts.messages.records import (
    CertificateWanted,
    ChargingTransaction,
    ClockHealed,
    CommandProgress,
    DeviceSeen,
    Discovered,
    Dropped,
    EpochBegun,
    Proposal,
    Record,
    Recovered,
    Refused,
    Reported,
)
from contracts.messages.states import GatewayState, IngestState, LaneState

__all__ = [
    "DESIRED_BYTES_MAX",
    "CertificateIssued",
    "CertificateWanted",
    "ChargingTransaction",
    "ClockHealed",
    "Command",
    "CommandProgress",
    "DesiredChargePoint",
    "DesiredCharging",
    "DesiredDevice",
    "DesiredProfile",
    "DesiredState",
    "DesiredToken",
    "DeviceSeen",
    "Discovered",
    "Dropped",
    "EpochBegun",
    "FrameAck",
    "GatewayState",
    "HeldLane",
    "IngestState",
    "Lane",
    "LaneState",
    "Message",
    "Precondition",
    "Proposal",
    "Record",
    "Recovered",
    "Refused",
    "Reported",
    "Welcome",
]
