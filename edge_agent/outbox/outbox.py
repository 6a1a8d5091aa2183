"""The outbox file: SQLite in WAL mode, synchronous=FULL, used by one thread only. Everything here blocks.

Everything that must be true together is one transaction: the frames, the deliveries they came from, devices first seen,
command states. ``OutboxWriter`` calls it from its thread.
"""

import secrets
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from contracts.frame import SAMPLES_MAX, FrameTooLarge, encode_frame
from contracts.messages import Dropped, Lane, LaneState, Record
from contracts.reading import Reading
from contracts.topics import LANES
from edge_agent.outbox.batch import Batch, CommandEntry, Delivery, SeenDevice

DELIVERIES_KEPT = 8_192
"""More than a broker may have in flight to us at once: only those can be delivered again."""
COMMANDS_KEPT = 10_000
QUARANTINE_KEPT = 1_000
READINGS_A_FRAME = 1_000
ACKED_SHARE = 0.25
"""Of the size cap, what acked frames may take."""
DELETE_FRAMES = 64
"""Frames deleted in one transaction, so that even that needs little room."""


class CommittedFrame(NamedTuple):
    """A frame that is on disk."""

    lane: str
    seq: int
    samples: int
    payload: bytes


class OutboxFull(Exception):
    """The disk has no room for the frame; nothing was committed."""


class Outbox:
    """Opens or creates the file. A new file is a new epoch. Raises sqlite3.Error."""

    def __init__(self, path: Path, gateway: str, bytes_max: int, now_ms: Callable[[], int]) -> None:
        self.gateway = gateway
        self.bytes_max = bytes_max
        self._now_ms = now_ms
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=500; "
            "PRAGMA journal_size_limit=4194304; PRAGMA cache_size=-1024;"
        )
        self._db.executescript((Path(__file__).parent / "schema.sql").read_text(encoding="utf-8"))
        self.epoch = self._epoch()
        self.lanes = {lane: self._lane(number) for number, lane in enumerate(LANES)}
        self.bytes = int(self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM frames").fetchone()[0])
        self._bytes_acked = int(
            self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM frames WHERE acked = 1").fetchone()[0]
        )
        self._commit_number, self.recent = self._deliveries()
        self._held: deque[tuple[int, int]] = deque(
            (number, length // 10)
            for number, length in self._db.execute(
                "SELECT commit_number, length(packed) FROM deliveries ORDER BY commit_number"
            )
        )
        self._held_count = sum(count for _, count in self._held)

    def _epoch(self) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
        if row:
            return cast(str, row[0])
        epoch = secrets.token_hex(8)
        self._db.execute("INSERT INTO meta VALUES ('epoch', ?)", (epoch,))
        return epoch

    def _lane(self, number: int) -> LaneState:
        row = self._db.execute("SELECT last_seq, produced, dropped FROM lanes WHERE lane = ?", (number,)).fetchone()
        last_seq, produced, dropped = row or (0, 0, 0)
        first, buffered = self._db.execute(
            "SELECT min(seq), coalesce(sum(samples), 0) FROM frames WHERE lane = ? AND acked = 0", (number,)
        ).fetchone()
        return LaneState(
            epoch=self.epoch,
            lane=cast(Lane, LANES[number]),
            last_seq=last_seq,
            produced=produced,
            oldest_unacked_seq=first if first is not None else last_seq + 1,
            buffered=buffered,
            dropped=dropped,
        )

    def _deliveries(self) -> tuple[int, dict[int, bytes]]:
        rows = self._db.execute("SELECT commit_number, packed FROM deliveries ORDER BY commit_number").fetchall()
        recent: dict[int, bytes] = {}
        for _, packed in rows:
            recent.update(_unpack_deliveries(packed))
        return (rows[-1][0] if rows else 0), recent

    # --- writing ---

    def commit(self, batch: Batch) -> list[CommittedFrame]:
        """Put a batch on disk, as one frame a lane (or a few, where it is too much for one).

        Returns the frames. Raises sqlite3.Error with nothing committed: the batch may be tried again.
        """
        now_ms = self._now_ms()
        self._make_room(batch)
        lanes = {name: _copy(state) for name, state in self.lanes.items()}
        frames: list[CommittedFrame] = []
        self._db.execute("BEGIN IMMEDIATE")
        try:
            frames += self._frames(lanes["urgent"], [], batch.urgent, now_ms)
            frames += self._frames(lanes["bulk"], batch.readings, batch.bulk, now_ms)
            for frame in frames:
                self._db.execute(
                    "INSERT INTO frames (lane, seq, samples, born_ms, payload) VALUES (?, ?, ?, ?, ?)",
                    (LANES.index(frame.lane), frame.seq, frame.samples, now_ms, frame.payload),
                )
            for lane in {frame.lane for frame in frames}:
                self._write_lane(lanes[lane])
            self._write_deliveries(batch)
            self._write_knowledge(batch)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._after_commit(batch, frames, lanes)
        return frames

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
            except FrameTooLarge:
                if len(readings) + len(records) == 1:
                    raise
            else:
                samples = sum(len(reading.samples) for reading in readings)
                assert samples <= SAMPLES_MAX
                lane.last_seq += 1
                lane.produced += samples
                lane.buffered += samples
                return [CommittedFrame(lane.lane, lane.last_seq, samples, payload)]
        middle, centre = (len(readings) + 1) // 2, (len(records) + 1) // 2
        first = self._frames(lane, readings[:middle], records[:centre], now_ms)
        return first + self._frames(lane, readings[middle:], records[centre:], now_ms)

    def _write_lane(self, lane: LaneState) -> None:
        self._db.execute(
            "INSERT INTO lanes VALUES (?, ?, ?, ?) ON CONFLICT (lane) DO UPDATE SET last_seq = excluded.last_seq, "
            "produced = excluded.produced, dropped = excluded.dropped",
            (LANES.index(lane.lane), lane.last_seq, lane.produced, lane.dropped),
        )

    def _write_deliveries(self, batch: Batch) -> None:
        if batch.session_new:
            self._db.execute("DELETE FROM deliveries")
        if not batch.deliveries:
            return
        packed = b"".join([d.packet_id.to_bytes(2, "big") + d.digest for d in batch.deliveries])
        self._db.execute("INSERT INTO deliveries VALUES (?, ?)", (self._commit_number + 1, packed))
        count, oldest = self._held_count + len(batch.deliveries), 0
        for number, held in self._held:
            if count - held < DELIVERIES_KEPT:
                break
            count -= held
            oldest = number
        if oldest:
            self._db.execute("DELETE FROM deliveries WHERE commit_number <= ?", (oldest,))

    def _write_knowledge(self, batch: Batch) -> None:
        for seen in batch.seen:
            self._db.execute(
                "INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?, ?, ?)",
                (seen.device, seen.profile, seen.profile_version, seen.kind, " ".join(seen.verbs), seen.name),
            )
        for command in batch.commands:
            self._db.execute("INSERT OR REPLACE INTO commands VALUES (?, ?, ?, ?)", command)
        if batch.commands:
            self._db.execute(
                "DELETE FROM commands WHERE command_id IN (SELECT command_id FROM commands ORDER BY at_ms DESC "
                "LIMIT -1 OFFSET ?)",
                (COMMANDS_KEPT,),
            )
        for raw in batch.raw:
            self._db.execute("INSERT INTO quarantine (topic, payload, reason, at_ms) VALUES (?, ?, ?, ?)", raw)
        if batch.raw:
            self._db.execute(
                "DELETE FROM quarantine WHERE number <= (SELECT max(number) FROM quarantine) - ?", (QUARANTINE_KEPT,)
            )

    def _after_commit(self, batch: Batch, frames: list[CommittedFrame], lanes: dict[str, LaneState]) -> None:
        self.lanes = lanes
        self.bytes += sum(len(frame.payload) for frame in frames)
        if batch.session_new:
            self.recent.clear()
            self._held.clear()
            self._held_count = 0
        if batch.deliveries:
            self._commit_number += 1
            self._held.append((self._commit_number, len(batch.deliveries)))
            self._held_count += len(batch.deliveries)
            while self._held_count - self._held[0][1] >= DELIVERIES_KEPT:
                self._held_count -= self._held.popleft()[1]
            for delivery in batch.deliveries:
                self.recent.pop(delivery.packet_id, None)  # to the end: a dict keeps the order of insertion
                self.recent[delivery.packet_id] = delivery.digest
            while len(self.recent) > self._held_count:
                del self.recent[next(iter(self.recent))]

    # --- acknowledgements and room ---

    def acked(self, lane: str, ranges: Sequence[tuple[int, int]]) -> None:
        """The cloud holds these seqs. They stay on disk while there is room."""
        number = LANES.index(lane)
        state = self.lanes[lane]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for first, last in ranges:
                samples, size = self._db.execute(
                    "SELECT coalesce(sum(samples), 0), coalesce(sum(length(payload)), 0) FROM frames "
                    "WHERE lane = ? AND seq BETWEEN ? AND ? AND acked = 0",
                    (number, first, last),
                ).fetchone()
                self._db.execute(
                    "UPDATE frames SET acked = 1 WHERE lane = ? AND seq BETWEEN ? AND ? AND acked = 0",
                    (number, first, last),
                )
                state.buffered -= samples
                self._bytes_acked += size
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._find_oldest(state)
        while self._bytes_acked > self.bytes_max * ACKED_SHARE and self._delete_acked():
            pass

    def _find_oldest(self, state: LaneState) -> None:
        row = self._db.execute(
            "SELECT min(seq) FROM frames WHERE lane = ? AND acked = 0", (LANES.index(state.lane),)
        ).fetchone()
        state.oldest_unacked_seq = row[0] if row[0] is not None else state.last_seq + 1

    def _delete_acked(self) -> bool:
        rows = self._db.execute(
            "SELECT rowid, length(payload) FROM frames WHERE acked = 1 ORDER BY born_ms LIMIT ?", (DELETE_FRAMES,)
        ).fetchall()
        if not rows:
            return False
        self._db.execute(f"DELETE FROM frames WHERE rowid IN ({','.join('?' * len(rows))})", [row[0] for row in rows])
        freed = sum(row[1] for row in rows)
        self.bytes -= freed
        self._bytes_acked -= freed
        return True

    def _make_room(self, batch: Batch) -> None:
        """Below the cap again: acked frames first, then the oldest unacked, bulk before urgent, and that is declared."""
        while self.bytes > self.bytes_max and self._delete_acked():
            pass
        for lane in ("bulk", "urgent"):
            while self.bytes > self.bytes_max:
                rows = self._db.execute(
                    "SELECT seq, samples, length(payload) FROM frames WHERE lane = ? AND acked = 0 ORDER BY seq LIMIT ?",
                    (LANES.index(lane), DELETE_FRAMES),
                ).fetchall()
                if not rows:
                    break
                self._drop(lane, rows, batch)

    def _drop(self, lane: str, rows: list[tuple[int, int, int]], batch: Batch) -> None:
        """Give up these frames and declare it, in one transaction with a frame that says so."""
        number = LANES.index(lane)
        now_ms = self._now_ms()
        samples = sum(row[1] for row in rows)
        record = Dropped(
            epoch=self.epoch, lane=cast(Lane, lane), first_seq=rows[0][0], last_seq=rows[-1][0], samples=samples,
            reason="size_cap", at_ms=now_ms,
        )  # fmt: skip
        lanes = {name: _copy(state) for name, state in self.lanes.items()}
        lanes[lane].dropped += samples
        lanes[lane].buffered -= samples
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.execute(
                "DELETE FROM frames WHERE lane = ? AND seq BETWEEN ? AND ? AND acked = 0",
                (number, rows[0][0], rows[-1][0]),
            )
            declared = self._frames(lanes["urgent"], [], [record], now_ms)
            for frame in declared:
                self._db.execute(
                    "INSERT INTO frames (lane, seq, samples, born_ms, payload) VALUES (?, ?, ?, ?, ?)",
                    (LANES.index(frame.lane), frame.seq, frame.samples, now_ms, frame.payload),
                )
            for name in {lane, "urgent"}:
                self._write_lane(lanes[name])
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self.lanes = lanes
        self.bytes += sum(len(frame.payload) for frame in declared) - sum(row[2] for row in rows)
        self._find_oldest(self.lanes[lane])

    # --- reading ---

    def read(self, lane: str, seq: int) -> bytes | None:
        """A frame's bytes, or None if it was dropped."""
        row = self._db.execute(
            "SELECT payload FROM frames WHERE lane = ? AND seq = ?", (LANES.index(lane), seq)
        ).fetchone()
        return cast(bytes, row[0]) if row else None

    def unacked(self, lane: str) -> list[tuple[int, int]]:
        """Ranges (first, last) of seqs that the cloud has not acknowledged, ascending."""
        return [
            (first, last)
            for first, last in self._db.execute(
                "SELECT min(seq), max(seq) FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island "
                "FROM frames WHERE lane = ? AND acked = 0) GROUP BY island ORDER BY 1",
                (LANES.index(lane),),
            )
        ]

    def devices(self) -> dict[str, SeenDevice]:
        """Every device that this gateway has read."""
        rows = self._db.execute("SELECT device, profile, profile_version, kind, verbs, name FROM devices")
        return {row[0]: SeenDevice(row[0], row[1], row[2], row[3], tuple(row[4].split()), row[5]) for row in rows}

    def command(self, command_id: str) -> CommandEntry | None:
        """The last word on a command, if it is known."""
        row = self._db.execute("SELECT * FROM commands WHERE command_id = ?", (command_id,)).fetchone()
        return CommandEntry(*row) if row else None

    def commands_in(self, state: str) -> list[CommandEntry]:
        """The commands whose last word is this state."""
        return [CommandEntry(*row) for row in self._db.execute("SELECT * FROM commands WHERE state = ?", (state,))]

    def document(self, name: str) -> bytes:
        """A document kept beside the frames (the desired state), or b"" when there is none."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return bytes.fromhex(row[0]) if row else b""

    def keep_document(self, name: str, value: bytes) -> None:
        """Keep a document beside the frames."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value.hex()))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _unpack_deliveries(packed: bytes) -> list[Delivery]:
    return [
        Delivery(int.from_bytes(packed[at : at + 2], "big"), packed[at + 2 : at + 10])
        for at in range(0, len(packed), 10)
    ]


def _copy(state: LaneState) -> LaneState:
    return LaneState(**{name: getattr(state, name) for name in LaneState.__struct_fields__})
