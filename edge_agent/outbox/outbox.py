"""The outbox: what must be true together is one transaction: the frames, the deliveries they came from, devices first
seen, command states. ``OutboxWriter`` calls it from its thread. Everything here blocks.
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
from edge_agent.outbox import knowledge
from edge_agent.outbox.batch import Batch, CommandEntry, SeenDevice
from edge_agent.outbox.epochs import EarlierFrame, Epochs
from edge_agent.outbox.frames import CommittedFrame, copy_of, disk_of
from edge_agent.outbox.room import ACKED_SHARE, AGE_LOOK_MS, merged, ranges_of, room_bytes, too_much, without

log = logging.getLogger(__name__)

DELETE_FRAMES = 64
"""Frames deleted in one transaction, so that even that needs little room."""


class Outbox(Epochs):
    """The outbox. Opens or creates the file. Raises OutboxDamaged, OutboxNewer, sqlite3.Error."""

    @property
    def recent(self) -> dict[int, bytes]:
        """Packet id -> digest of the newest deliveries; always the same dict."""
        return self._deliveries.recent

    @property
    def bytes_max(self) -> int:
        """The size cap."""
        return self.limits.bytes_max

    def take_beside(self) -> list[CommittedFrame]:
        """Frames that came to be beside what was asked for (they declare drops); each is told once."""
        beside, self.beside = self.beside, []
        return beside

    @property
    def unacked_bytes(self) -> int:
        """What frames take that the cloud has not acknowledged."""
        return self.bytes - self._bytes_acked

    @property
    def room_bytes(self) -> int:
        """What may still come before frames have to be given up, by the size cap or the disk."""
        return room_bytes(self.limits, self.unacked_bytes, self._bytes_acked, disk_of(self.path.parent))

    def oldest_unacked_ms(self) -> int | None:
        """When the oldest frame was committed that the cloud has not acknowledged; None when there is none."""
        found = [
            self._db.execute(
                "SELECT born_ms FROM frames WHERE lane = ? AND acked = 0 ORDER BY epoch, seq LIMIT 1", (number,)
            ).fetchone()
            for number in range(len(LANES))
        ]
        return min((row[0] for row in found if row), default=None)

    # --- writing ---

    def commit(self, batch: Batch) -> list[CommittedFrame]:
        """Put a batch on disk, as one frame a lane (or a few, where it is too much for one).

        Returns the frames. Raises sqlite3.Error with nothing committed: the batch may be tried again.
        """
        self._rescue_if_gone()
        now_ms = self.now_ms()
        self._make_room(now_ms)
        lanes = {name: copy_of(state) for name, state in self.lanes.items()}
        with self._transaction():
            frames = self._frames(lanes["urgent"], batch.urgent_readings, batch.urgent, now_ms)
            frames += self._frames(lanes["bulk"], batch.readings, batch.bulk, now_ms)
            self._write_frames(frames, lanes, now_ms)
            self._deliveries.write(self._db, batch)
            knowledge.write(self._db, batch)
        if self._pressed:
            self._pressed = False
            self._keep_reserve()
        self._after_commit(frames, lanes)
        self._deliveries.committed(batch)
        return frames

    # --- acknowledgements ---

    def acked(self, lane: str, ranges: Sequence[tuple[int, int]], epoch: str = "") -> None:
        """The cloud holds these seqs of this epoch (the living one by default). They stay while there is room."""
        number = self._number_of(epoch or self.epoch)
        if number is None:
            return
        samples = size = 0
        with self._transaction():
            for first, last in ranges:
                where = (LANES.index(lane), number, first, last)
                found = self._db.execute(
                    "SELECT coalesce(sum(samples), 0), coalesce(sum(length(payload)), 0) FROM frames "
                    "WHERE lane = ? AND epoch = ? AND seq BETWEEN ? AND ? AND acked = 0",
                    where,
                ).fetchone()
                self._db.execute(
                    "UPDATE frames SET acked = 1, unsure = 0 "
                    "WHERE lane = ? AND epoch = ? AND seq BETWEEN ? AND ? AND acked = 0",
                    where,
                )
                samples += found[0]
                size += found[1]
            self.checkpoint("before_ack_commit")
        self.checkpoint("after_ack_commit")
        self._bytes_acked += size
        if number == self._number:
            state = self.lanes[lane]
            state.buffered -= samples
            self._find_oldest(state)
        else:
            self.ended = self._ended()
        kept_max = int(self.limits.bytes_max * ACKED_SHARE)
        while self._bytes_acked > kept_max and self._delete_acked(self._bytes_acked - kept_max):
            pass

    def wanted(self, epoch: str, lane: str, ranges: Sequence[tuple[int, int]]) -> None:
        """The cloud lacks these seqs of the living epoch though they were acknowledged: what is still here goes again.

        What is not is declared as dropped (``not_kept``). Nothing when the epoch has ended meanwhile.
        """
        if epoch != self.epoch:
            return
        number = LANES.index(lane)
        state = copy_of(self.lanes[lane])
        bytes_acked = self._bytes_acked
        gone: list[Record] = []
        with self._transaction():
            for first, last in ranges:
                last = min(last, state.oldest_unacked_seq - 1)
                rows = self._db.execute(
                    "SELECT seq, samples, length(payload) FROM frames WHERE lane = ? AND epoch = ? "
                    "AND seq BETWEEN ? AND ? AND acked = 1 ORDER BY seq",
                    (number, self._number, first, last),
                ).fetchall()
                self._db.execute(
                    "UPDATE frames SET acked = 0 WHERE lane = ? AND epoch = ? AND seq BETWEEN ? AND ?",
                    (number, self._number, first, last),
                )
                state.buffered += sum(row[1] for row in rows)
                bytes_acked -= sum(row[2] for row in rows)
                for low, high in without(first, last, ranges_of([row[0] for row in rows])):
                    gone.append(self._dropped(self.epoch, lane, low, high, 0, "not_kept"))
        self.lanes[lane], self._bytes_acked = state, bytes_acked
        self._find_oldest(state)
        if gone:
            self.beside += self.commit(Batch(urgent=gone))

    # --- room ---

    def _make_room(self, now_ms: int) -> None:
        """Within the limits again: acked frames go first, then the oldest unacked, bulk before urgent, and declared."""
        if self._pressed and not self._delete_acked():  # the disk said so itself
            self._give_up("disk_floor", None)
        while reason := self._too_much():
            if not self._delete_acked() and not self._give_up(reason, None):
                break
        if self.limits.age_ms_max and not self.unsure_run and now_ms - self._aged_ms >= AGE_LOOK_MS:
            self._aged_ms = now_ms
            while self._give_up("age_cap", now_ms - self.limits.age_ms_max):
                pass

    def read_sound(self, lane: str, seq: int) -> bytes | None:
        """A frame's bytes to be sent. None if it was dropped; one whose bytes have been altered is, and declared."""
        row = self._db.execute(
            "SELECT samples, payload FROM frames WHERE epoch = ? AND lane = ? AND seq = ?",
            (self._number, LANES.index(lane), seq),
        ).fetchone()
        if row is None or not self._is_sound(CommittedFrame(self.epoch, lane, seq, *row)):
            return None
        return cast(bytes, row[1])

    def sound_earlier(self, limit: int) -> list[EarlierFrame]:
        """See ``earlier``; frames whose bytes have been altered are dropped and declared."""
        return [frame for frame in self.earlier(limit) if self._is_sound(CommittedFrame(*frame[:5]))]

    def _is_sound(self, frame: CommittedFrame) -> bool:
        try:
            read_header(frame.payload)
        except FrameError as error:
            log.error("a frame was altered on disk", extra={"lane": frame.lane, "seq": frame.seq, "error": str(error)})
            number = self._number_of(frame.epoch)
            assert number is not None, "its row has just been read"
            self._drop(
                frame.lane, [(number, frame.epoch, frame.seq, frame.samples, len(frame.payload))], "frame_damaged"
            )
            return False
        return True

    def _too_much(self) -> str:
        disk = disk_of(self.path.parent)
        if self.limits.free_bytes_min and disk.free_bytes < self.limits.free_bytes_min:
            (free_pages,) = self._db.execute("PRAGMA freelist_count").fetchone()
            (page_bytes,) = self._db.execute("PRAGMA page_size").fetchone()
            disk = disk._replace(free_bytes=disk.free_bytes + free_pages * page_bytes)
        return too_much(self.limits, self.bytes, disk)

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
        with self._transaction():
            self._db.execute(f"DELETE FROM frames WHERE rowid IN ({places})", [row[0] for row in rows])
        self.checkpoint("after_delete")
        freed = sum(row[1] for row in rows)
        self.bytes -= freed
        self._bytes_acked -= freed
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

        What such frames had declared themselves is carried over. False: that takes as much room as they did.
        """
        epoch_number, epoch = rows[0][:2]
        now_ms = self.now_ms()
        samples_of = {row[2]: row[3] for row in rows}
        size = sum(row[4] for row in rows)
        lanes = {name: copy_of(state) for name, state in self.lanes.items()}
        records = self._declared_in(epoch_number, lane, list(samples_of))
        for first, last in ranges_of(sorted(samples_of)):
            samples = sum(samples_of[seq] for seq in range(first, last + 1))
            records.append(self._dropped(epoch, lane, first, last, samples, reason))
        declared = self._frames(lanes["urgent"], [], _shortened(records), now_ms)
        if reason in ("size_cap", "disk_floor") and sum(len(frame.payload) for frame in declared) >= size:
            return False
        if epoch_number == self._number:
            lanes[lane].dropped += sum(samples_of.values())
            lanes[lane].buffered -= sum(samples_of.values())
        with self._transaction():
            for first, last in ranges_of(sorted(samples_of)):
                self._db.execute(
                    "DELETE FROM frames WHERE lane = ? AND epoch = ? AND seq BETWEEN ? AND ? AND acked = 0",
                    (LANES.index(lane), epoch_number, first, last),
                )
            if epoch_number == self._number:
                self._write_lane(self._number, lanes[lane])
            else:
                self._db.execute(
                    "UPDATE lanes SET dropped = dropped + ? WHERE epoch = ? AND lane = ?",
                    (sum(samples_of.values()), epoch_number, LANES.index(lane)),
                )
            self._write_frames(declared, lanes, now_ms)
        self.checkpoint("after_drop")
        self._after_commit(declared, lanes)
        self.beside += declared
        self.given_up[reason] = self.given_up.get(reason, 0) + sum(samples_of.values())
        self.bytes -= size
        self._find_oldest(self.lanes[lane])
        if epoch_number != self._number:
            self.ended = self._ended()
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

    def _dropped(self, epoch: str, lane: str, first: int, last: int, samples: int, reason: str) -> Dropped:
        return Dropped(
            epoch=epoch, lane=cast(Lane, lane), first_seq=first, last_seq=last, samples=samples, reason=reason,
            at_ms=self.now_ms(),
        )  # fmt: skip

    def devices(self) -> dict[str, SeenDevice]:
        """Every device that this gateway has read."""
        return knowledge.devices(self._db)

    def command(self, command_id: str) -> CommandEntry | None:
        """The last word on a command, if it is known."""
        return knowledge.command(self._db, command_id)

    def commands_in(self, state: str) -> list[CommandEntry]:
        """The commands whose last word is this state."""
        return knowledge.commands_in(self._db, state)

    def document(self, name: str) -> bytes:
        """A document kept beside the frames (the desired state), or b"" when there is none."""
        return knowledge.document(self._db, name)

    def documents(self, prefix: str) -> dict[str, bytes]:
        """The documents whose names begin so, by the rest of their names."""
        return knowledge.documents(self._db, prefix)


def _shortened(records: Sequence[Record]) -> list[Record]:
    """Of each device the last word, of drops as few ranges as say the same."""
    devices = {record.device: record for record in records if isinstance(record, DeviceSeen)}
    epochs = [record for record in records if isinstance(record, EpochBegun)]
    return [*devices.values(), *epochs, *merged([record for record in records if isinstance(record, Dropped)])]
