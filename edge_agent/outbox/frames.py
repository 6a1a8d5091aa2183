"""The outbox's frames and lanes: how they stand in the file, and what is known of them in memory. Everything here blocks."""

import re
import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import cast

from contracts.messages import Lane, LaneState
from contracts.topics import LANES
from edge_agent.outbox.database import Database
from edge_agent.outbox.framing import Draft, copy_of
from edge_agent.outbox.room import ranges_of, without

_EPOCH = re.compile(r"[0-9a-f]{16}")

Ranges = Sequence[tuple[int, int]]
"""(first, last) seqs, both included."""


class Frames:
    """The frames of all epochs in one file. A new file is a new epoch, the living one.

    number, epoch  the living epoch: in the file, and to the cloud
    lanes          where its lanes stand
    ended          where the ended epochs stand that have frames still: unacknowledged ones, or such as the cloud may want again
    held_bytes     what all frames take; acked_bytes: those that the cloud has acknowledged
    unsure_run     while the clock is not known: the number of this run; frames are marked with it. Else 0
    """

    def __init__(self, db: Database, gateway: str, now_ms: Callable[[], int]) -> None:
        self.db = db
        self.gateway = gateway
        self.now_ms = now_ms
        self.is_new = True
        self.number = 0
        self.epoch = ""
        self.lanes: dict[str, LaneState] = {}
        self.ended: list[LaneState] = []
        self.held_bytes = 0
        self.acked_bytes = 0
        self.unsure_run = 0

    def look_round(self) -> None:
        """Read where everything stands: the file has been opened. Raises sqlite3.Error, ValueError, TypeError."""
        self.is_new = not self.db.execute("SELECT 1 FROM epochs").fetchone()
        number, epoch = self._living_epoch()
        self.held_bytes = int(self.db.execute("SELECT coalesce(sum(length(payload)), 0) FROM frames").fetchone()[0])
        self.acked_bytes = int(
            self.db.execute("SELECT coalesce(sum(length(payload)), 0) FROM frames WHERE acked = 1").fetchone()[0]
        )
        self.live_in(number, epoch)

    def _living_epoch(self) -> tuple[int, str]:
        row = self.db.execute("SELECT number, epoch FROM epochs ORDER BY number DESC LIMIT 1").fetchone()
        if row:
            if not _EPOCH.fullmatch(row[1]):
                raise ValueError("what stands in the table of epochs is none")
            return cast(tuple[int, str], row)
        if self.db.execute("SELECT 1 FROM lanes UNION ALL SELECT 1 FROM frames").fetchone():
            raise ValueError("the epoch of the frames is gone")
        epoch = secrets.token_hex(8)
        self.db.execute("INSERT INTO epochs (number, epoch) VALUES (1, ?)", (epoch,))
        return 1, epoch

    def live_in(self, number: int, epoch: str) -> None:
        """This epoch, which is in the file, is the living one."""
        self.number, self.epoch = number, epoch
        self.lanes = {lane: self._lane(number, epoch, place) for place, lane in enumerate(LANES)}
        self.count_ended()

    def count_ended(self) -> None:
        """Look where the ended epochs stand."""
        self.ended = [
            self._lane(number, epoch, lane)
            for number, epoch, lane in self.db.execute(
                # Of a copied epoch nothing is wanted again: the cloud may hold the other copy's frames in it.
                "SELECT number, epoch, place FROM epochs JOIN (SELECT 0 AS place UNION ALL SELECT 1) WHERE number < ? "
                "AND EXISTS (SELECT 1 FROM frames f WHERE f.epoch = number AND f.lane = place "
                "AND (acked = 0 OR again_after_urgent < 0 AND again_after_bulk < 0))",
                (self.number,),
            ).fetchall()
        ]

    def _lane(self, epoch_number: int, epoch: str, number: int) -> LaneState:
        row = self.db.execute(
            "SELECT last_seq, produced, dropped FROM lanes WHERE epoch = ? AND lane = ?", (epoch_number, number)
        ).fetchone()
        last_seq, produced, dropped = row or (0, 0, 0)
        first, buffered = self.db.execute(
            "SELECT min(seq), coalesce(sum(samples), 0) FROM frames WHERE lane = ? AND epoch = ? AND acked = 0",
            (number, epoch_number),
        ).fetchone()
        if not row:  # out of a damaged file come frames without it
            (last_seq,) = self.db.execute(
                "SELECT coalesce(max(seq), 0) FROM frames WHERE lane = ? AND epoch = ?", (number, epoch_number)
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

    # --- writing ---

    def draft(self, now_ms: int) -> Draft:
        """Frames of the living epoch can be added to it, and ``committing`` puts them on disk."""
        return Draft(self.gateway, self.lanes, now_ms)

    @contextmanager
    def committing(self, draft: Draft) -> Generator[None]:
        """The draft's frames and lanes are committed, in one transaction with what is done inside. Raises sqlite3.Error."""
        with self.db.transaction():
            yield
            for frame in draft.frames:
                self.db.execute(
                    "INSERT INTO frames (epoch, lane, seq, samples, born_ms, unsure, payload) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (self.number, LANES.index(frame.lane), frame.seq, frame.samples, draft.now_ms, self.unsure_run,
                     frame.payload),
                )  # fmt: skip
            for name, lane in draft.lanes.items():
                if lane != self.lanes[name]:
                    self.db.execute(
                        "INSERT OR REPLACE INTO lanes VALUES (?, ?, ?, ?, ?)",
                        (self.number, LANES.index(name), lane.last_seq, lane.produced, lane.dropped),
                    )
            self.db.checkpoint("in_commit")
        self.lanes = draft.lanes
        self.held_bytes += sum([len(frame.payload) for frame in draft.frames])

    def find_oldest(self, lane: str) -> None:
        """Look which is the oldest unacknowledged frame of a lane now."""
        state = self.lanes[lane]
        row = self.db.execute(
            "SELECT min(seq) FROM frames WHERE lane = ? AND epoch = ? AND acked = 0", (LANES.index(lane), self.number)
        ).fetchone()
        state.oldest_unacked_seq = row[0] if row[0] is not None else state.last_seq + 1

    def mark_acked(self, lane: str, ranges: Ranges, epoch: str) -> None:
        """The cloud holds these seqs of this epoch."""
        number = self.number_of(epoch)
        if number is None:
            return
        samples = size = 0
        with self.db.transaction():
            for first, last in ranges:
                where = (LANES.index(lane), number, first, last)
                found = self.db.execute(
                    "SELECT coalesce(sum(samples), 0), coalesce(sum(length(payload)), 0) FROM frames "
                    "WHERE lane = ? AND epoch = ? AND seq BETWEEN ? AND ? AND acked = 0",
                    where,
                ).fetchone()
                self.db.execute(
                    "UPDATE frames SET acked = 1, unsure = 0 "
                    "WHERE lane = ? AND epoch = ? AND seq BETWEEN ? AND ? AND acked = 0",
                    where,
                )
                samples += found[0]
                size += found[1]
            self.db.checkpoint("before_ack_commit")
        self.db.checkpoint("after_ack_commit")
        self.acked_bytes += size
        if number == self.number:
            self.lanes[lane].buffered -= samples
            self.find_oldest(lane)
        else:
            self.count_ended()

    def mark_unacked(self, lane: str, ranges: Ranges, epoch: str) -> list[tuple[int, int]]:
        """Take back that the cloud holds these. Returns what is not kept any more.

        Nothing for an epoch that is not here, or was copied: the cloud may hold the other copy's frames in it.
        """
        found = self.db.execute(
            "SELECT number FROM epochs WHERE epoch = ? AND again_after_urgent < 0 AND again_after_bulk < 0", (epoch,)
        ).fetchone()
        if not found:
            return []
        epoch_number, number = int(found[0]), LANES.index(lane)
        living = epoch_number == self.number
        state = copy_of(self.lanes[lane]) if living else self._lane(epoch_number, epoch, number)
        acked_bytes = self.acked_bytes
        gone: list[tuple[int, int]] = []
        with self.db.transaction():
            for first, last in ranges:
                last = min(last, state.oldest_unacked_seq - 1)
                rows = self.db.execute(
                    "SELECT seq, samples, length(payload) FROM frames WHERE lane = ? AND epoch = ? "
                    "AND seq BETWEEN ? AND ? AND acked = 1 ORDER BY seq",
                    (number, epoch_number, first, last),
                ).fetchall()
                self.db.execute(
                    "UPDATE frames SET acked = 0 WHERE lane = ? AND epoch = ? AND seq BETWEEN ? AND ?",
                    (number, epoch_number, first, last),
                )
                state.buffered += sum(row[1] for row in rows)
                acked_bytes -= sum(row[2] for row in rows)
                gone += without(first, last, ranges_of([row[0] for row in rows]))
        self.acked_bytes = acked_bytes
        if living:
            self.lanes[lane] = state
            self.find_oldest(lane)
        else:
            self.count_ended()
        return gone

    # --- reading ---

    def number_of(self, epoch: str) -> int | None:
        """The number in the file of an epoch; None when it is not in the file."""
        if epoch == self.epoch:
            return self.number
        row = self.db.execute("SELECT number FROM epochs WHERE epoch = ?", (epoch,)).fetchone()
        return int(row[0]) if row else None

    def read(self, lane: str, seq: int) -> tuple[int, bytes] | None:
        """Samples and bytes of a frame of the living epoch, None if it was dropped."""
        row = self.db.execute(
            "SELECT samples, payload FROM frames WHERE epoch = ? AND lane = ? AND seq = ?",
            (self.number, LANES.index(lane), seq),
        ).fetchone()
        return cast(tuple[int, bytes] | None, row)

    def unacked(self, lane: str) -> list[tuple[int, int]]:
        """Ranges of seqs of the living epoch that the cloud has not acknowledged, ascending."""
        return [
            (first, last)
            for first, last in self.db.execute(
                "SELECT min(seq), max(seq) FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS island "
                "FROM frames WHERE lane = ? AND epoch = ? AND acked = 0) GROUP BY island ORDER BY 1",
                (LANES.index(lane), self.number),
            )
        ]

    def oldest_unacked_ms(self) -> int | None:
        """When the oldest frame was committed that the cloud has not acknowledged; None when there is none."""
        found = [
            self.db.execute(
                "SELECT born_ms FROM frames WHERE lane = ? AND acked = 0 ORDER BY epoch, seq LIMIT 1", (number,)
            ).fetchone()
            for number in range(len(LANES))
        ]
        return min((row[0] for row in found if row), default=None)
