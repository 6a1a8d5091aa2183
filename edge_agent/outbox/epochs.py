"""Epochs that ended with frames left in them, frames out of a damaged file, and times taken by a clock not known yet."""

import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from contracts.frame import FrameError, FrameHeader, decode_frame, encode_frame
from contracts.messages import ClockHealed, EpochBegun
from contracts.topics import LANES
from edge_agent.clock import with_times_moved
from edge_agent.outbox.frames import CommittedFrame, Frames, copy_of

ROWS_A_TRANSACTION = 64


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


class Epochs(Frames):
    """Frames, with the epochs before the living one."""

    _healing: tuple[int, int, int] = (0, 0, 0)  # run, shift_ms and error_ms of what is being healed

    @property
    def is_healing(self) -> bool:
        """An error of the disk has stopped the healing of times; ``heal_clock`` goes on with it."""
        return self._healing != (0, 0, 0)

    # --- epochs ---

    def begin_epoch(self, reason: str, again_after: dict[str, int]) -> None:
        """End the living epoch. Its unacked frames are sent as they are; those past ``again_after`` are framed anew.

        again_after  lane -> the highest seq that the cloud holds in it
        """
        epoch = secrets.token_hex(8)
        ended, number = self.epoch, self._number + 1
        with self._transaction():
            self._db.execute(
                "UPDATE epochs SET again_after_urgent = ?, again_after_bulk = ? WHERE number = ?",
                (again_after.get("urgent", 0), again_after.get("bulk", 0), self._number),
            )
            self._db.execute("INSERT INTO epochs (number, epoch) VALUES (?, ?)", (number, epoch))
        self.checkpoint("epoch_begun")
        self._number, self.epoch = number, epoch
        self.lanes = {lane: self._lane(number, epoch, place) for place, lane in enumerate(LANES)}
        self.ended = self._ended()
        self.say_epoch_begun(ended, reason)

    def say_epoch_begun(self, before: str, reason: str) -> None:
        """Tell the cloud that the living epoch came after another one, and why."""
        lanes = {name: copy_of(state) for name, state in self.lanes.items()}
        now_ms = self.now_ms()
        word = EpochBegun(before=before, epoch=self.epoch, reason=reason, at_ms=now_ms)
        with self._transaction():
            frames = self._frames(lanes["urgent"], [], [word], now_ms)
            self._write_frames(frames, lanes, now_ms)
        self._after_commit(frames, lanes)

    def bring_over(self, frames: Sequence[tuple[FrameHeader, bytes]]) -> None:
        """Take unacked frames of ended epochs, out of a damaged file. What is here already stays as it is."""
        with self._transaction():
            for header, payload in frames:
                if header.epoch == self.epoch:
                    continue
                self._db.execute(
                    "INSERT OR IGNORE INTO epochs (number, epoch) VALUES ((SELECT min(number) - 1 FROM epochs), ?)",
                    (header.epoch,),
                )
                self.bytes += (
                    len(payload)
                    * self._db.execute(
                        "INSERT OR IGNORE INTO frames (epoch, lane, seq, samples, born_ms, payload) "
                        "SELECT number, ?, ?, ?, ?, ? FROM epochs WHERE epoch = ?",
                        (LANES.index(header.lane), header.seq, header.samples, header.born_ms, payload, header.epoch),
                    ).rowcount
                )

    def bring_rows(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take rows of what the gateway remembers, out of a damaged file."""
        if rows:
            with self._transaction():
                places = ",".join("?" * len(rows[0]))
                self._db.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", rows)
            self._deliveries.load(self._db)

    def keep_deliveries(self, recent: dict[int, bytes]) -> None:
        """After a new file was begun: what memory still knows of deliveries."""
        self._deliveries.recent.update(recent)
        with self._transaction():
            self._deliveries.write_all(self._db)
        self._deliveries.load(self._db)

    def earlier(self, limit: int) -> list[EarlierFrame]:
        """Unacknowledged frames of ended epochs, oldest first."""
        rows = self._db.execute(
            "SELECT e.epoch, lane, seq, samples, payload, again_after_urgent, again_after_bulk FROM frames f JOIN epochs e "
            "ON e.number = f.epoch WHERE f.acked = 0 AND f.epoch < ? AND lane IN (0, 1) ORDER BY f.epoch, lane, seq "
            "LIMIT ?",
            (self._number, limit),
        ).fetchall()
        return [
            EarlierFrame(epoch, LANES[lane], seq, samples, payload, 0 <= after[lane] < seq, after[lane] >= 0)
            for epoch, lane, seq, samples, payload, *after in rows
        ]

    def frame_again(self, frame: EarlierFrame) -> list[CommittedFrame]:
        """Move what is in this frame into new frames of the living epoch; the old one is gone, in one transaction.

        Nothing when it has been moved already: two answers may have said so.
        """
        content = decode_frame(frame.payload)
        lanes = {name: copy_of(state) for name, state in self.lanes.items()}
        now_ms = self.now_ms()
        with self._transaction():
            moved = self._db.execute(
                "DELETE FROM frames WHERE lane = ? AND seq = ? AND acked = 0 "
                "AND epoch = (SELECT number FROM epochs WHERE epoch = ?)",
                (LANES.index(frame.lane), frame.seq, frame.epoch),
            ).rowcount
            if not moved:
                return []
            frames = self._frames(lanes[frame.lane], content.readings, content.records, now_ms)
            self._write_frames(frames, lanes, now_ms)
            self._db.execute(  # what is in it counts where it is now
                "UPDATE lanes SET produced = produced - ? WHERE lane = ? "
                "AND epoch = (SELECT number FROM epochs WHERE epoch = ?)",
                (frame.samples, LANES.index(frame.lane), frame.epoch),
            )
        self.checkpoint("framed_again")
        self._after_commit(frames, lanes)
        self.bytes -= len(frame.payload)
        self.ended = self._ended()
        return frames

    # --- the clock ---

    def last_unsure_run(self) -> int:
        """The highest run of which frames wait for the time to be known, 0 when there is none."""
        return int(self._db.execute("SELECT coalesce(max(unsure), 0) FROM frames WHERE unsure > 0").fetchone()[0])

    def heal_clock(self, shift_ms: int, error_ms: int) -> int:
        """The clock is known now: move the arrival times of what this run has framed without it. Returns frames moved.

        Such frames were never sent, so they may be made anew under their own numbers. A device's own time is not touched.
        """
        if self.unsure_run:  # else it goes on where an error of the disk has stopped it
            self._healing = (self.unsure_run, shift_ms, error_ms)
            self.unsure_run = 0
        run, shift_ms, error_ms = self._healing
        moved = 0
        while run and shift_ms:
            rows = self._db.execute(
                "SELECT rowid, payload FROM frames WHERE unsure = ? ORDER BY rowid LIMIT ?", (run, ROWS_A_TRANSACTION)
            ).fetchall()
            if not rows:
                break
            grown = 0
            with self._transaction():
                for rowid, payload in rows:
                    healed = self._healed(payload, shift_ms, error_ms)
                    self._db.execute(
                        "UPDATE frames SET payload = ?, born_ms = born_ms + ?, unsure = 0 WHERE rowid = ?",
                        (healed, shift_ms, rowid),
                    )
                    grown += len(healed) - len(payload)
            self.bytes += grown
            moved += len(rows)
            self.checkpoint("in_healing")
        with self._transaction():
            self._db.execute("UPDATE frames SET unsure = 0 WHERE unsure > 0")
        self._healing = (0, 0, 0)
        return moved

    def _healed(self, payload: bytes, shift_ms: int, error_ms: int) -> bytes:
        try:
            header, readings, records = decode_frame(payload)
        except FrameError:
            return payload  # altered on disk: it is dropped and declared when it is to be sent
        moved = [with_times_moved(reading, shift_ms) for reading in readings]
        word = ClockHealed(shift_ms=shift_ms, error_ms=error_ms, at_ms=self.now_ms())
        return encode_frame(
            self.gateway, header.epoch, header.lane, header.seq, header.born_ms + shift_ms, header.samples_before,
            moved, [*records, word],
        )  # fmt: skip
