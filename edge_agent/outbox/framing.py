"""Readings and records become frames: as few as they fit into. What can't be framed at all is refused in its place. Pure."""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from contracts.frame import SAMPLES_MAX, encode_frame
from contracts.messages import LaneState, Record, Refused
from contracts.reading import Reading

log = logging.getLogger(__name__)

READINGS_A_FRAME = 1_000


class CommittedFrame(NamedTuple):
    """A frame that is on disk."""

    epoch: str
    lane: str
    seq: int
    samples: int
    payload: bytes


class Draft:
    """Frames that are to be committed together.

    frames  they, which count as committed when ``Frames.committing`` is left
    lanes   where the lanes will stand then
    """

    def __init__(self, gateway: str, lanes: Mapping[str, LaneState], now_ms: int) -> None:
        self.frames: list[CommittedFrame] = []
        self.lanes = {name: copy_of(state) for name, state in lanes.items()}
        self.now_ms = now_ms
        self._gateway = gateway

    def add(self, lane: str, readings: Sequence[Reading], records: Sequence[Record]) -> None:
        """Frames of this lane for these, none for nothing."""
        self.frames += self._frames(self.lanes[lane], readings, records)

    def _frames(self, lane: LaneState, readings: Sequence[Reading], records: Sequence[Record]) -> list[CommittedFrame]:
        """Halved until each fits; ``lane`` moves on."""
        if not readings and not records:
            return []
        if len(readings) <= READINGS_A_FRAME:
            seq = lane.last_seq + 1
            try:
                payload = encode_frame(
                    self._gateway, lane.epoch, lane.lane, seq, self.now_ms, lane.produced, readings, records
                )
            except Exception as error:  # noqa: BLE001  whatever it is that one can't be framed for: the others must be
                if len(readings) + len(records) == 1:
                    return self._frames(lane, [], [_unframable([*readings, *records][0], error, self.now_ms)])
            else:
                samples = sum([len(reading.samples) for reading in readings])
                assert samples <= SAMPLES_MAX
                lane.last_seq = seq
                lane.produced += samples
                lane.buffered += samples
                return [CommittedFrame(lane.epoch, lane.lane, seq, samples, payload)]
        if readings and records:
            return self._frames(lane, readings, []) + self._frames(lane, [], records)
        middle, centre = (len(readings) + 1) // 2, (len(records) + 1) // 2
        first = self._frames(lane, readings[:middle], records[:centre])
        return first + self._frames(lane, readings[middle:], records[centre:])


def _unframable(item: Reading | Record, error: Exception, now_ms: int) -> Refused:
    """Says that an item could not be put into any frame; in its place, so that it is known, and stops nothing."""
    if isinstance(item, Refused) and item.reason == "unframable":
        raise error
    log.error("an item can't be framed and is refused", extra={"error": str(error)[:500]})
    name = item.device if isinstance(item, Reading) else type(item).__name__
    return Refused(
        topic=str(name)[:256].encode(errors="replace").decode(), reason="unframable",
        detail=f"{type(error).__name__}: {error}"[:512].encode(errors="replace").decode(), size_bytes=0, at_ms=now_ms,
    )  # fmt: skip


def copy_of(state: LaneState) -> LaneState:
    return LaneState(**{name: getattr(state, name) for name in LaneState.__struct_fields__})
