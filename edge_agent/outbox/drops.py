"""Frames leave the outbox: acknowledged ones for room, others by policy or because they were altered, and then declared.

A declaration goes up in a frame of its own, which is committed in the transaction that deletes. Everything here blocks.
"""

import contextlib
import logging
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import cast

from contracts.frame import FrameError, decode_frame, read_header
from contracts.messages import DeviceSeen, Dropped, EpochBegun, Lane, Record
from contracts.topics import LANES
from edge_agent.outbox.frames import Frames
from edge_agent.outbox.framing import CommittedFrame
from edge_agent.outbox.room import ACKED_SHARE, AGE_LOOK_MS, Limits, merged, ranges_of, too_much

log = logging.getLogger(__name__)

DELETE_FRAMES = 64
"""Frames deleted in one transaction, so that even that needs little room."""


class Drops:
    """Keeps the outbox within its limits, and bad frames away from the cloud.

    given_up  reason -> samples in frames that this run has dropped
    declared  frames that declare drops, and are to be told to the uplink
    """

    def __init__(self, frames: Frames, limits: Limits) -> None:
        self.limits = limits
        self.given_up: dict[str, int] = {}
        self.declared: list[CommittedFrame] = []
        self._frames = frames
        self._db = frames.db
        self._aged_ms = 0

    def make_room(self, now_ms: int) -> None:
        """Within the limits again: acked frames go first, then the oldest unacked, bulk before urgent."""
        if self._db.is_pressed and not self._delete_acked():  # the disk said so itself
            self._give_up("disk_floor", None)
        while reason := self._too_much():
            if not self._delete_acked() and not self._give_up(reason, None):
                break
        if self.limits.age_ms_max and not self._frames.unsure_run and now_ms - self._aged_ms >= AGE_LOOK_MS:
            self._aged_ms = now_ms
            while self._give_up("age_cap", now_ms - self.limits.age_ms_max):
                pass

    def trim_acked(self) -> None:
        """Delete the oldest acked frames, as far as they take more than their share."""
        kept_max = int(self.limits.bytes_max * ACKED_SHARE)
        while self._frames.acked_bytes > kept_max and self._delete_acked(self._frames.acked_bytes - kept_max):
            pass

    def is_sound(self, frame: CommittedFrame) -> bool:
        """Whether its bytes are those that were committed; if not, it is dropped and declared."""
        try:
            read_header(frame.payload)
        except FrameError as error:
            log.error("a frame was altered on disk", extra={"lane": frame.lane, "seq": frame.seq, "error": str(error)})
            number = self._frames.number_of(frame.epoch)
            assert number is not None, "its row has just been read"
            row = (number, frame.epoch, frame.seq, frame.samples, len(frame.payload))
            self._drop(frame.lane, [row], "frame_damaged")
            return False
        return True

    def word(self, epoch: str, lane: str, first: int, last: int, samples: int, reason: str) -> Dropped:
        """What declares that these seqs are not to come."""
        return Dropped(
            epoch=epoch, lane=cast(Lane, lane), first_seq=first, last_seq=last, samples=samples, reason=reason,
            at_ms=self._frames.now_ms(),
        )  # fmt: skip

    def _too_much(self) -> str:
        disk = self._db.disk()
        if self.limits.free_bytes_min and disk.free_bytes < self.limits.free_bytes_min:
            (free_pages,) = self._db.execute("PRAGMA freelist_count").fetchone()
            (page_bytes,) = self._db.execute("PRAGMA page_size").fetchone()
            disk = disk._replace(free_bytes=disk.free_bytes + free_pages * page_bytes)
        return too_much(self.limits, self._frames.held_bytes, disk)

    def _delete_acked(self, enough_bytes: int = 1 << 62) -> bool:
        """Delete some of the oldest acked frames, no more than free so much; False when there is none."""
        rows = self._db.execute(
            "SELECT rowid, length(payload) FROM frames WHERE acked = 1 ORDER BY rowid LIMIT ?", (DELETE_FRAMES,)
        ).fetchall()
        if not rows:
            return False
        up_to = list(accumulate(row[1] for row in rows))
        rows = rows[: bisect_left(up_to, enough_bytes) + 1]
        places = ",".join("?" * len(rows))
        with self._db.transaction():
            self._db.execute(f"DELETE FROM frames WHERE rowid IN ({places})", [row[0] for row in rows])
        self._db.checkpoint("after_delete")
        freed = sum(row[1] for row in rows)
        self._frames.held_bytes -= freed
        self._frames.acked_bytes -= freed
        return True

    def _give_up(self, reason: str, born_before_ms: int | None) -> bool:
        """Drop some of the oldest unacked frames, bulk before urgent; False when there is nothing to drop."""
        for number in reversed(range(len(LANES))):
            rows = self._db.execute(
                "SELECT f.epoch, e.epoch, seq, samples, length(payload) FROM frames f JOIN epochs e "
                "ON e.number = f.epoch WHERE lane = ? AND acked = 0 AND born_ms < ? ORDER BY f.epoch, seq LIMIT ?",
                (number, born_before_ms if born_before_ms is not None else 2**62, DELETE_FRAMES),
            ).fetchall()
            if rows:
                return self._drop(LANES[number], [row for row in rows if row[0] == rows[0][0]], reason)
        return False

    def _drop(self, lane: str, rows: list[tuple[int, str, int, int, int]], reason: str) -> bool:
        """Give up these frames of one epoch and declare it, in one transaction with a frame that says so.

        rows  (epoch's number, epoch, seq, samples, bytes) a frame
        What such frames had declared themselves is carried over. False: that takes as much room as they did.
        """
        frames = self._frames
        number, epoch = rows[0][:2]
        living = number == frames.number
        samples_of = {row[2]: row[3] for row in rows}
        samples = sum(samples_of.values())
        size = sum(row[4] for row in rows)
        records = self._declared_in(number, lane, list(samples_of))
        for first, last in ranges_of(sorted(samples_of)):
            dropped = sum(samples_of[seq] for seq in range(first, last + 1))
            records.append(self.word(epoch, lane, first, last, dropped, reason))
        draft = frames.draft(frames.now_ms())
        draft.add("urgent", [], shortened(records))
        if reason in ("size_cap", "disk_floor") and sum(len(frame.payload) for frame in draft.frames) >= size:
            return False
        if living:
            draft.lanes[lane].dropped += samples
            draft.lanes[lane].buffered -= samples
        with frames.committing(draft):
            for first, last in ranges_of(sorted(samples_of)):
                self._db.execute(
                    "DELETE FROM frames WHERE lane = ? AND epoch = ? AND seq BETWEEN ? AND ? AND acked = 0",
                    (LANES.index(lane), number, first, last),
                )
            if not living:
                self._db.execute(
                    "UPDATE lanes SET dropped = dropped + ? WHERE epoch = ? AND lane = ?",
                    (samples, number, LANES.index(lane)),
                )
        self._db.checkpoint("after_drop")
        self.declared += draft.frames
        self.given_up[reason] = self.given_up.get(reason, 0) + samples
        frames.held_bytes -= size
        frames.find_oldest(lane)
        if not living:
            frames.count_ended()
        return True

    def _declared_in(self, epoch_number: int, lane: str, seqs: list[int]) -> list[Record]:
        """What must be known though the frames that say so are given up: drops, epochs, devices."""
        if lane != "urgent":
            return []
        rows = self._db.execute(
            f"SELECT payload FROM frames WHERE epoch = ? AND lane = ? AND seq IN ({','.join('?' * len(seqs))})",
            (epoch_number, LANES.index(lane), *seqs),
        )
        found: list[Record] = []
        for (payload,) in rows.fetchall():
            with contextlib.suppress(FrameError):  # altered on disk
                found += [r for r in decode_frame(payload).records if isinstance(r, Dropped | EpochBegun | DeviceSeen)]
        return found


def shortened(records: Sequence[Record]) -> list[Record]:
    """Of each device the last word, of drops as few ranges as say the same."""
    devices = {record.device: record for record in records if isinstance(record, DeviceSeen)}
    epochs = [record for record in records if isinstance(record, EpochBegun)]
    return [*devices.values(), *epochs, *merged([record for record in records if isinstance(record, Dropped)])]
