"""The outbox's frames on disk: SQLite in WAL mode, synchronous=FULL, used by one thread only. Everything here blocks."""

import contextlib
import logging
import os
import secrets
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from contracts.frame import SAMPLES_MAX, encode_frame
from contracts.messages import Lane, LaneState, Record, Refused
from contracts.reading import Reading
from contracts.topics import LANES
from edge_agent.outbox.deliveries import Deliveries
from edge_agent.outbox.file import files_of, is_full, open_file
from edge_agent.outbox.room import Disk, Limits

log = logging.getLogger(__name__)

READINGS_A_FRAME = 1_000
RESERVE_BYTES = 1_048_576


class CommittedFrame(NamedTuple):
    """A frame that is on disk."""

    epoch: str
    lane: str
    seq: int
    samples: int
    payload: bytes


class Frames:
    """Opens or creates the file. A new file is a new epoch. Raises OutboxDamaged, OutboxNewer, sqlite3.Error."""

    def __init__(
        self, path: Path, gateway: str, bytes_max: int, now_ms: Callable[[], int], age_ms_max: int = 0,
        free_bytes_min: int = 0, checkpoint: Callable[[str], None] = lambda place: None,
    ) -> None:  # fmt: skip
        self.path = path
        self.gateway = gateway
        self.limits = Limits(bytes_max, age_ms_max, free_bytes_min)
        self.unsure_run = 0
        """While the clock is not known: the number of this run; frames are marked with it. Else 0."""
        self.beside: list[CommittedFrame] = []
        self.now_ms = now_ms
        self.checkpoint = checkpoint
        self.is_open = False
        self.given_up: dict[str, int] = {}
        """Reason -> samples in frames that this run has dropped by policy."""
        self._deliveries = Deliveries()
        self._aged_ms = 0
        self._pressed = False
        self.open()

    def open(self) -> None:
        """Open the file and read where everything stands; also after it was set aside."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.Error as error:
            if not (is_full(error) and self._reserve_path().exists()):
                raise
            self._reserve_path().unlink()
            self._open()
        self._keep_reserve()

    def _open(self) -> None:
        self._db = open_file(self.path, disk_of(self.path.parent).size_bytes)
        try:
            self._look_round()
        except BaseException:
            self._db.close()
            raise
        self.is_open = True

    def _look_round(self) -> None:
        self._inode = self.path.stat().st_ino
        self.is_new = not self._db.execute("SELECT 1 FROM epochs").fetchone()
        """This opening has created the file."""
        self._number, self.epoch = self._living_epoch()
        self.lanes = {lane: self._lane(self._number, self.epoch, number) for number, lane in enumerate(LANES)}
        self.bytes = int(self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM frames").fetchone()[0])
        self._bytes_acked = int(
            self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM frames WHERE acked = 1").fetchone()[0]
        )
        self.ended = self._ended()
        self._deliveries.load(self._db)

    def _keep_reserve(self) -> None:
        """A file that only takes room: given up when the disk is full, so that even then frames can be deleted."""
        disk = disk_of(self.path.parent)
        size = min(RESERVE_BYTES, disk.size_bytes // 16)
        reserve = self._reserve_path()
        if reserve.exists() or disk.free_bytes < 3 * size:
            return
        try:
            with reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            reserve.unlink(missing_ok=True)

    def _reserve_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.reserve")

    def _disk_is_full(self) -> None:
        """Give up the reserve, and bring what is in the write-ahead log into the file, which frees the log."""
        self._pressed = True
        self._reserve_path().unlink(missing_ok=True)
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _living_epoch(self) -> tuple[int, str]:
        row = self._db.execute("SELECT number, epoch FROM epochs ORDER BY number DESC LIMIT 1").fetchone()
        if row:
            return cast(tuple[int, str], row)
        epoch = secrets.token_hex(8)
        self._db.execute("INSERT INTO epochs (number, epoch) VALUES (1, ?)", (epoch,))
        return 1, epoch

    def _lane(self, epoch_number: int, epoch: str, number: int) -> LaneState:
        row = self._db.execute(
            "SELECT last_seq, produced, dropped FROM lanes WHERE epoch = ? AND lane = ?", (epoch_number, number)
        ).fetchone()
        last_seq, produced, dropped = row or (0, 0, 0)
        first, buffered = self._db.execute(
            "SELECT min(seq), coalesce(sum(samples), 0) FROM frames WHERE lane = ? AND epoch = ? AND acked = 0",
            (number, epoch_number),
        ).fetchone()
        return LaneState(
            epoch=epoch,
            lane=cast(Lane, LANES[number]),
            last_seq=last_seq,
            produced=produced,
            oldest_unacked_seq=first if first is not None else last_seq + 1,
            buffered=buffered,
            dropped=dropped,
        )

    def _ended(self) -> list[LaneState]:
        """Where the ended epochs stand that still have unacknowledged frames."""
        return [
            self._lane(number, epoch, lane)
            for number, epoch, lane in self._db.execute(
                "SELECT DISTINCT f.epoch, e.epoch, lane FROM frames f JOIN epochs e ON e.number = f.epoch "
                "WHERE f.acked = 0 AND f.epoch < ?",
                (self._number,),
            ).fetchall()
        ]

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:  # some errors (a full disk) have rolled back already
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) and is_full(error):
                self._disk_is_full()
            raise

    # --- writing ---

    def _frames(
        self, lane: LaneState, readings: Sequence[Reading], records: Sequence[Record], now_ms: int
    ) -> list[CommittedFrame]:
        """Frames for these, halved until each fits; ``lane`` moves on."""
        if not readings and not records:
            return []
        if len(readings) <= READINGS_A_FRAME:
            try:
                payload = encode_frame(
                    self.gateway, self.epoch, lane.lane, lane.last_seq + 1, now_ms, lane.produced, readings, records
                )
            except Exception as error:  # noqa: BLE001  whatever it is that one can't be framed for: the others must be
                if len(readings) + len(records) == 1:
                    return self._frames(lane, [], [_unframable([*readings, *records][0], error, now_ms)], now_ms)
            else:
                samples = sum(len(reading.samples) for reading in readings)
                assert samples <= SAMPLES_MAX
                lane.last_seq += 1
                lane.produced += samples
                lane.buffered += samples
                return [CommittedFrame(self.epoch, lane.lane, lane.last_seq, samples, payload)]
        if readings and records:
            return self._frames(lane, readings, [], now_ms) + self._frames(lane, [], records, now_ms)
        middle, centre = (len(readings) + 1) // 2, (len(records) + 1) // 2
        first = self._frames(lane, readings[:middle], records[:centre], now_ms)
        return first + self._frames(lane, readings[middle:], records[centre:], now_ms)

    def _write_frames(self, frames: Sequence[CommittedFrame], lanes: dict[str, LaneState], now_ms: int) -> None:
        for frame in frames:
            self._db.execute(
                "INSERT INTO frames (epoch, lane, seq, samples, born_ms, unsure, payload) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._number, LANES.index(frame.lane), frame.seq, frame.samples, now_ms, self.unsure_run,
                 frame.payload),
            )  # fmt: skip
        for lane in {frame.lane for frame in frames}:
            self._write_lane(self._number, lanes[lane])
        self.checkpoint("in_commit")

    def _write_lane(self, epoch_number: int, lane: LaneState) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO lanes VALUES (?, ?, ?, ?, ?)",
            (epoch_number, LANES.index(lane.lane), lane.last_seq, lane.produced, lane.dropped),
        )

    def _after_commit(self, frames: Sequence[CommittedFrame], lanes: dict[str, LaneState]) -> None:
        self.lanes = lanes
        self.bytes += sum(len(frame.payload) for frame in frames)

    def _rescue_if_gone(self) -> None:
        """Somebody deleted or replaced the file under us: the open one still has everything, so it is written anew."""
        try:
            if self.path.stat().st_ino == self._inode:
                return
        except FileNotFoundError:
            pass
        rescued = self.path.with_name(f"{self.path.name}.rescued")
        log.error("the outbox file was taken away; it is written anew")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rescued.unlink(missing_ok=True)
        target = sqlite3.connect(rescued)
        try:
            target.execute("PRAGMA synchronous=FULL")
            self._db.backup(target)
        finally:
            target.close()
        self.close()
        for left in files_of(self.path)[1:]:
            left.unlink(missing_ok=True)
        rescued.replace(self.path)
        self.checkpoint("rescued")
        self.open()

    def _find_oldest(self, state: LaneState) -> None:
        row = self._db.execute(
            "SELECT min(seq) FROM frames WHERE lane = ? AND epoch = ? AND acked = 0",
            (LANES.index(state.lane), self._number),
        ).fetchone()
        state.oldest_unacked_seq = row[0] if row[0] is not None else state.last_seq + 1

    def _number_of(self, epoch: str) -> int | None:
        if epoch == self.epoch:
            return self._number
        row = self._db.execute("SELECT number FROM epochs WHERE epoch = ?", (epoch,)).fetchone()
        return int(row[0]) if row else None

    # --- reading ---

    def read(self, lane: str, seq: int) -> bytes | None:
        """A frame's bytes, or None if it was dropped."""
        row = self._db.execute(
            "SELECT payload FROM frames WHERE epoch = ? AND lane = ? AND seq = ?",
            (self._number, LANES.index(lane), seq),
        ).fetchone()
        return cast(bytes, row[0]) if row else None

    def unacked(self, lane: str) -> list[tuple[int, int]]:
        """Ranges (first, last) of seqs that the cloud has not acknowledged, ascending."""
        return [
            (first, last)
            for first, last in self._db.execute(
                "SELECT min(seq), max(seq) FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island "
                "FROM frames WHERE lane = ? AND epoch = ? AND acked = 0) GROUP BY island ORDER BY 1",
                (LANES.index(lane), self._number),
            )
        ]

    def close(self) -> None:
        """Close the file."""
        self.is_open = False
        self._db.close()


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


def disk_of(folder: Path) -> Disk:
    found = os.statvfs(folder)
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def copy_of(state: LaneState) -> LaneState:
    return LaneState(**{name: getattr(state, name) for name in LaneState.__struct_fields__})
