"""The outbox: what must be true together is one transaction: the frames, the deliveries they came from, devices first
seen, command states. ``OutboxWriter`` calls it from its thread. Everything here blocks.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from contracts.messages import LaneState
from edge_agent.outbox import knowledge
from edge_agent.outbox.batch import Batch, CommandEntry, KeptMessage, SeenDevice
from edge_agent.outbox.database import Database
from edge_agent.outbox.deliveries import Deliveries
from edge_agent.outbox.drops import Drops
from edge_agent.outbox.epochs import EarlierFrame, Epochs
from edge_agent.outbox.frames import Frames, Ranges
from edge_agent.outbox.framing import CommittedFrame
from edge_agent.outbox.room import Limits, room_bytes
from edge_agent.outbox.unsure_times import UnsureTimes


class Outbox:
    """Opens or creates the file. Raises OutboxDamaged, OutboxNewer, sqlite3.Error.

    epochs        the ended ones, and how a new one begins
    unsure_times  of frames that were made before the clock was known
    """

    def __init__(
        self, path: Path, gateway: str, bytes_max: int, now_ms: Callable[[], int], age_ms_max: int = 0,
        free_bytes_min: int = 0, checkpoint: Callable[[str], None] = lambda place: None,
    ) -> None:  # fmt: skip
        self.path = path
        self.gateway = gateway
        self.now_ms = now_ms
        self.checkpoint = checkpoint
        self._db = Database(path, self._look_round, checkpoint)
        self._frames = Frames(self._db, gateway, now_ms)
        self._drops = Drops(self._frames, Limits(bytes_max, age_ms_max, free_bytes_min))
        self._deliveries = Deliveries()
        self.epochs = Epochs(self._frames)
        self.unsure_times = UnsureTimes(self._frames)
        self.open()

    def open(self) -> None:
        """Open the file and read where everything stands; also after it was set aside."""
        self._db.open()

    def _look_round(self) -> None:
        self._frames.look_round()
        self._deliveries.load(self._db.connection)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- how it stands; read from other threads too ---

    @property
    def is_open(self) -> bool:
        """Whether the file is open."""
        return self._db.is_open

    @property
    def is_new(self) -> bool:
        """The last opening has created the file."""
        return self._frames.is_new

    @property
    def epoch(self) -> str:
        """The living epoch."""
        return self._frames.epoch

    @property
    def lanes(self) -> dict[str, LaneState]:
        """Where the living epoch's lanes stand."""
        return self._frames.lanes

    @property
    def ended(self) -> list[LaneState]:
        """Where the ended epochs stand that have frames still: unacknowledged, or such as the cloud may want again."""
        return self._frames.ended

    @property
    def unsure_run(self) -> int:
        """While the clock is not known: the number of this run, which marks its frames. Else 0."""
        return self._frames.unsure_run

    @unsure_run.setter
    def unsure_run(self, run: int) -> None:
        self._frames.unsure_run = run

    @property
    def recent(self) -> dict[int, bytes]:
        """Packet id -> digest of the newest deliveries; always the same dict."""
        return self._deliveries.recent

    @property
    def given_up(self) -> dict[str, int]:
        """Reason -> samples in frames that this run has dropped."""
        return self._drops.given_up

    @property
    def held_bytes(self) -> int:
        """What all frames take."""
        return self._frames.held_bytes

    @property
    def unacked_bytes(self) -> int:
        """What frames take that the cloud has not acknowledged."""
        return self._frames.held_bytes - self._frames.acked_bytes

    @property
    def room_bytes(self) -> int:
        """What may still come before frames have to be given up, by the size cap or the disk."""
        return room_bytes(self._drops.limits, self.unacked_bytes, self._frames.acked_bytes, self._db.disk())

    # --- writing ---

    def commit(self, batch: Batch) -> list[CommittedFrame]:
        """Put a batch on disk, as one frame a lane (or a few, where it is too much for one).

        Returns the frames. Raises sqlite3.Error with nothing committed: the batch may be tried again.
        """
        self._db.rescue_if_gone()
        now_ms = self.now_ms()
        self._drops.make_room(now_ms)
        draft = self._frames.draft(now_ms)
        draft.add("urgent", batch.urgent_readings, batch.urgent)
        draft.add("bulk", batch.readings, batch.bulk)
        with self._frames.committing(draft):
            self._deliveries.write(self._db.connection, batch)
            knowledge.write(self._db.connection, batch)
        self._db.eased()
        self._deliveries.committed(batch)
        return draft.frames

    def acked(self, lane: str, ranges: Ranges, epoch: str = "") -> None:
        """The cloud holds these seqs of this epoch (the living one by default). They stay while there is room."""
        self._frames.mark_acked(lane, ranges, epoch or self.epoch)
        self._drops.trim_acked()

    def wanted(self, epoch: str, lane: str, ranges: Ranges) -> None:
        """The cloud lacks these seqs though they were acknowledged: what is still here goes again.

        What is not is declared as dropped (``not_kept``). Nothing when another copy of this outbox shared the epoch.
        """
        gone = self._frames.mark_unacked(lane, ranges, epoch)
        if gone:
            words = [self._drops.word(epoch, lane, first, last, 0, "not_kept") for first, last in gone]
            self._drops.declared += self.commit(Batch(urgent=[*words]))

    def take_beside(self) -> list[CommittedFrame]:
        """Frames that came to be beside what was asked for (they declare drops); each is told once."""
        beside, self._drops.declared = self._drops.declared, []
        return beside

    # --- reading ---

    def read(self, lane: str, seq: int) -> bytes | None:
        """A frame's bytes, or None if it was dropped."""
        found = self._frames.read(lane, seq)
        return found[1] if found else None

    def read_sound(self, lane: str, seq: int) -> bytes | None:
        """A frame's bytes to be sent. None if it was dropped; one whose bytes have been altered is, and declared."""
        found = self._frames.read(lane, seq)
        if found is None or not self._drops.is_sound(CommittedFrame(self.epoch, lane, seq, *found)):
            return None
        return found[1]

    def sound_earlier(self, limit: int) -> list[EarlierFrame]:
        """See ``Epochs.earlier``; frames whose bytes have been altered are dropped and declared."""
        return [frame for frame in self.epochs.earlier(limit) if self._drops.is_sound(CommittedFrame(*frame[:5]))]

    def unacked(self, lane: str) -> list[tuple[int, int]]:
        """Ranges (first, last) of seqs that the cloud has not acknowledged, ascending."""
        return self._frames.unacked(lane)

    def oldest_unacked_ms(self) -> int | None:
        """When the oldest frame was committed that the cloud has not acknowledged; None when there is none."""
        return self._frames.oldest_unacked_ms()

    # --- what the gateway remembers beside ---

    def devices(self) -> dict[str, SeenDevice]:
        """Every device that this gateway has read."""
        return knowledge.devices(self._db.connection)

    def command(self, command_id: str) -> CommandEntry | None:
        """The last word on a command, if it is known."""
        return knowledge.command(self._db.connection, command_id)

    def commands_in(self, state: str) -> list[CommandEntry]:
        """The commands whose last word is this state."""
        return knowledge.commands_in(self._db.connection, state)

    def kept_messages(self) -> list[KeptMessage]:
        """The refused messages that are kept, in the order in which they came."""
        return knowledge.kept_messages(self._db.connection)

    def document(self, name: str) -> bytes:
        """A document kept beside the frames (the desired state), or b"" when there is none."""
        return knowledge.document(self._db.connection, name)

    def documents(self, prefix: str) -> dict[str, bytes]:
        """The documents whose names begin so, by the rest of their names."""
        return knowledge.documents(self._db.connection, prefix)

    def bring_rows(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take rows of what the gateway remembers, out of a damaged file."""
        if rows:
            with self._db.transaction():
                places = ",".join("?" * len(rows[0]))
                self._db.connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", rows)
            self._deliveries.load(self._db.connection)

    def keep_deliveries(self, recent: dict[int, bytes]) -> None:
        """After a new file was begun: what memory still knows of deliveries."""
        self._deliveries.recent.update(recent)
        with self._db.transaction():
            self._deliveries.write_all(self._db.connection)
        self._deliveries.load(self._db.connection)
