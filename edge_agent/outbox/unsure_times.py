"""Arrival times that were taken by a clock not known yet, and moved once it is. Everything here blocks."""

from contracts.frame import FrameError, decode_frame, encode_frame
from contracts.messages import ClockHealed
from edge_agent.clock import with_times_moved
from edge_agent.outbox.frames import Frames

ROWS_A_TRANSACTION = 64


class UnsureTimes:
    """Frames of runs in which the clock was not known. They are never sent before it is."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._db = frames.db
        self._healing: tuple[int, int, int] = (0, 0, 0)  # run, shift_ms and error_ms of what is being healed

    @property
    def is_healing(self) -> bool:
        """An error of the disk has stopped the healing of times; ``heal`` goes on with it."""
        return self._healing != (0, 0, 0)

    def last_run(self) -> int:
        """The highest run of which frames wait for the time to be known, 0 when there is none."""
        return int(self._db.execute("SELECT coalesce(max(unsure), 0) FROM frames WHERE unsure > 0").fetchone()[0])

    def heal(self, shift_ms: int, error_ms: int) -> int:
        """The clock is known now: move the arrival times of what this run has framed without it. Returns frames moved.

        Such frames were never sent, so they may be made anew under their own numbers. A device's own time is not touched.
        """
        if self._frames.unsure_run:  # else it goes on where an error of the disk has stopped it
            self._healing = (self._frames.unsure_run, shift_ms, error_ms)
            self._frames.unsure_run = 0
        run, shift_ms, error_ms = self._healing
        moved = 0
        while run and shift_ms:
            rows = self._db.execute(
                "SELECT rowid, payload FROM frames WHERE unsure = ? ORDER BY rowid LIMIT ?", (run, ROWS_A_TRANSACTION)
            ).fetchall()
            if not rows:
                break
            grown = 0
            with self._db.transaction():
                for rowid, payload in rows:
                    healed = self._healed(payload, shift_ms, error_ms)
                    self._db.execute(
                        "UPDATE frames SET payload = ?, born_ms = born_ms + ?, unsure = 0 WHERE rowid = ?",
                        (healed, shift_ms, rowid),
                    )
                    grown += len(healed) - len(payload)
            self._frames.held_bytes += grown
            moved += len(rows)
            self._db.checkpoint("in_healing")
        with self._db.transaction():
            self._db.execute("UPDATE frames SET unsure = 0 WHERE unsure > 0")
        self._healing = (0, 0, 0)
        return moved

    def _healed(self, payload: bytes, shift_ms: int, error_ms: int) -> bytes:
        try:
            header, readings, records = decode_frame(payload)
        except FrameError:
            return payload  # altered on disk: it is dropped and declared when it is to be sent
        moved = [with_times_moved(reading, shift_ms) for reading in readings]
        word = ClockHealed(shift_ms=shift_ms, error_ms=error_ms, at_ms=self._frames.now_ms())
        return encode_frame(
            self._frames.gateway, header.epoch, header.lane, header.seq, header.born_ms + shift_ms,
            header.samples_before, moved, [*records, word],
        )  # fmt: skip
