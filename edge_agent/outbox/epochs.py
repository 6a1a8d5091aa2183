"""Epochs that ended with frames left in them, and frames out of a damaged file. Everything here blocks."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from contracts.frame import FrameHeader, decode_frame
from contracts.messages import EpochBegun
from contracts.topics import LANES
from edge_agent.outbox.frames import Frames
from edge_agent.outbox.framing import CommittedFrame


class EarlierFrame(NamedTuple):
    """An unacknowledged frame of an ended epoch.

    again   it has to be framed anew: the cloud goes on counting in its epoch with other frames
    doubt   the cloud may hold another frame under its number: only its own acknowledgement counts, not a range
    """

    epoch: str
    lane: str
    seq: int
    samples: int
    payload: bytes
    again: bool
    doubt: bool


class Epochs:
    """The epochs before the living one, and how the next one begins."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._db = frames.db

    def begin(self, reason: str, again_after: dict[str, int]) -> None:
        """End the living epoch. Its unacked frames are sent as they are; those past ``again_after`` are framed anew.

        again_after  lane -> the highest seq that the cloud holds in it
        """
        epoch = secrets.token_hex(8)
        ended, number = self._frames.epoch, self._frames.number + 1
        with self._db.transaction():
            self._db.execute(
                "UPDATE epochs SET again_after_urgent = ?, again_after_bulk = ? WHERE number = ?",
                (again_after.get("urgent", 0), again_after.get("bulk", 0), self._frames.number),
            )
            self._db.execute("INSERT INTO epochs (number, epoch) VALUES (?, ?)", (number, epoch))
        self._db.checkpoint("epoch_begun")
        self._frames.live_in(number, epoch)
        self.say_begun(ended, reason)

    def say_begun(self, before: str, reason: str) -> None:
        """Tell the cloud that the living epoch came after another one, and why."""
        draft = self._frames.draft(self._frames.now_ms())
        word = EpochBegun(before=before, epoch=self._frames.epoch, reason=reason, at_ms=draft.now_ms)
        draft.add("urgent", [], [word])
        with self._frames.committing(draft):
            pass

    def bring_over(self, frames: Sequence[tuple[FrameHeader, bytes]]) -> None:
        """Take unacked frames of ended epochs, out of a damaged file. What is here already stays as it is."""
        with self._db.transaction():
            for header, payload in frames:
                if header.epoch == self._frames.epoch:
                    continue
                self._db.execute(
                    "INSERT OR IGNORE INTO epochs (number, epoch) VALUES ((SELECT min(number) - 1 FROM epochs), ?)",
                    (header.epoch,),
                )
                inserted = self._db.execute(
                    "INSERT OR IGNORE INTO frames (epoch, lane, seq, samples, born_ms, payload) "
                    "SELECT number, ?, ?, ?, ?, ? FROM epochs WHERE epoch = ?",
                    (LANES.index(header.lane), header.seq, header.samples, header.born_ms, payload, header.epoch),
                ).rowcount
                self._frames.held_bytes += len(payload) * inserted

    def earlier(self, limit: int) -> list[EarlierFrame]:
        """Unacknowledged frames of ended epochs, oldest first."""
        rows = self._db.execute(
            "SELECT e.epoch, lane, seq, samples, payload, again_after_urgent, again_after_bulk FROM frames f JOIN epochs e "
            "ON e.number = f.epoch WHERE f.acked = 0 AND f.epoch < ? AND lane IN (0, 1) ORDER BY f.epoch, lane, seq "
            "LIMIT ?",
            (self._frames.number, limit),
        ).fetchall()
        return [
            EarlierFrame(epoch, LANES[lane], seq, samples, payload, 0 <= after[lane] < seq, after[lane] >= 0)
            for epoch, lane, seq, samples, payload, *after in rows
        ]

    def frame_again(self, frame: EarlierFrame) -> list[CommittedFrame]:
        """Move what is in this frame into new frames of the living epoch; the old one is gone, in one transaction.

        Nothing when it has been moved already: two answers may have said so.
        """
        number, lane = self._frames.number_of(frame.epoch), LANES.index(frame.lane)
        place = (number, lane, frame.seq)
        is_here = "SELECT 1 FROM frames WHERE epoch = ? AND lane = ? AND seq = ? AND acked = 0"
        if not self._db.execute(is_here, place).fetchone():
            return []
        content = decode_frame(frame.payload)
        draft = self._frames.draft(self._frames.now_ms())
        draft.add(frame.lane, content.readings, content.records)
        with self._frames.committing(draft):
            self._db.execute("DELETE FROM frames WHERE epoch = ? AND lane = ? AND seq = ?", place)
            self._db.execute(  # what is in it counts where it is now
                "UPDATE lanes SET produced = produced - ? WHERE epoch = ? AND lane = ?", (frame.samples, number, lane)
            )
        self._db.checkpoint("framed_again")
        self._frames.held_bytes -= len(frame.payload)
        self._frames.count_ended()
        return draft.frames
