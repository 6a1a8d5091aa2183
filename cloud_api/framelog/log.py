"""What a frame log is, whatever holds it. Every adapter passes tests/integration/frame_log."""

from collections.abc import Collection, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from cloud_api.framelog.coverage import Coverage, StreamKey
from contracts.frame import FrameHeader

Place = tuple[StreamKey, int]
"""A frame's name: lane of an epoch of a gateway, and seq in it."""


class IncomingFrame(NamedTuple):
    """A frame whose digest and body have been checked. received_ms: ms UTC, the cloud's clock."""

    header: FrameHeader
    payload: bytes
    received_ms: int


class LoggedFrame(NamedTuple):
    """A frame in the log. position rises with every frame; there may be gaps."""

    position: int
    received_ms: int
    payload: bytes


class Outcome(Enum):
    """What became of an appended frame."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # the same key and bytes are there: a no-op
    CONFLICT = "conflict"  # the same key with other bytes: kept out, recorded


class Conflict(NamedTuple):
    """A frame that was kept out: another one has its key. number rises with every conflict."""

    number: int
    key: StreamKey
    seq: int
    received_ms: int
    payload: bytes


CONFLICTS_KEPT = 256
"""Of one gateway: the first ones. Nothing bounds how many more a gateway with a fault may send."""


class FrameLog(Protocol):
    """Unique key (gateway, epoch, lane, seq); committed when ``append`` returns."""

    async def append(self, frames: Sequence[IncomingFrame]) -> list[Outcome]:
        """Commit these frames in one transaction, with the coverage ranges; an outcome a frame."""

    async def read(self, after: int, limit: int) -> list[LoggedFrame]:
        """Frames with a position greater than ``after``, in order."""

    async def find(self, places: Collection[Place]) -> dict[Place, bytes]:
        """The bytes of those of these frames that are there."""

    async def wait(self, after: int) -> None:
        """Return when there is a frame with a position greater than ``after``."""

    async def coverage(self, keys: Collection[StreamKey]) -> dict[StreamKey, Coverage]:
        """What the log holds of each of these lanes, maybe nothing."""

    async def streams(self, gateway: str) -> list[tuple[StreamKey, Coverage]]:
        """What the log holds of a gateway: every epoch and lane."""

    async def conflicts(self, gateway: str, before: int | None = None, limit: int = CONFLICTS_KEPT) -> list[Conflict]:
        """Frames that came with a key that another frame has, newest first; each once, however often it came.

        before  of an earlier answer's last one the number, for what follows it
        """

    async def count_conflicts(self, gateway: str) -> int:
        """How many ``conflicts`` there are, at most CONFLICTS_KEPT."""

    async def last_position(self) -> int:
        """The position of the newest frame, 0 when there is none."""

    async def close(self) -> None:
        """Close it."""
