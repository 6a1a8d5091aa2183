"""Programs with a fault of their own on purpose: the simulation has to notice each of them, else it checks nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from cloud_api.framelog import IncomingFrame, SqliteFrameLog
from cloud_api.ingest import Ingest
from contracts import topics
from contracts.messages import FrameAck
from edge_agent.intake import Intake
from edge_agent.outbox import Outbox
from edge_agent.outbox.deliveries import Deliveries
from edge_agent.outbox.drops import Drops
from edge_agent.outbox.file import open_file
from edge_agent.outbox.unsure_times import UnsureTimes
from edge_agent.southbound import Southbound
from edge_agent.uplink import SendWindow
from edge_agent.uplink.sender import FrameSender
from tests.simulation.many import run_one

Mutant = Callable[[], AbstractContextManager[Any]]


def notices(name: str, seeds: Sequence[int], faults: int) -> tuple[str, int, str]:
    """(Mutant, the number of runs until it was noticed or 0, by what)."""
    for count, seed in enumerate(seeds, 1):
        with MUTANTS[name]():
            found = run_one(seed, faults)
        if isinstance(found, str):
            return name, count, found.partition(" faults: ")[2].partition("\n")[0][:100]
    return name, 0, ""


def _edge_acks_before_commit() -> AbstractContextManager[Any]:
    take = Intake.take

    def eager(self: Intake, publishes: Any) -> None:
        take(self, publishes)
        southbound = self._full.__self__  # type: ignore[attr-defined]
        southbound.ack(self._writer.pending.acks)

    return patch.object(Intake, "take", eager)


def _cloud_acks_before_commit() -> AbstractContextManager[Any]:
    commit = Ingest._commit

    async def eager(self: Ingest, frames: list[IncomingFrame], results: Any) -> None:
        for header, _, _ in frames:
            ack = FrameAck(epoch=header.epoch, lane=header.lane, ranges=[(header.seq, header.seq)])
            await self.publish(topics.ack(header.gateway), self._encoder.encode(ack))
        await commit(self, frames, results)

    return patch.object(Ingest, "_commit", eager)


def _edge_trusts_the_broker() -> AbstractContextManager[Any]:
    publish = FrameSender._publish

    async def trusting(self: FrameSender, line: Any, key: Any, *payload: Any) -> None:
        await publish(self, line, key, *payload)
        await self._writer.acked(key.lane, [(key.seq, key.seq)], self._writer.outbox.epoch)

    return patch.object(FrameSender, "_publish", trusting)


def _outbox_is_not_synced() -> AbstractContextManager[Any]:
    def loose(*arguments: Any) -> Any:
        db = open_file(*arguments)
        db.execute("PRAGMA synchronous=NORMAL")
        return db

    return patch("tests.simulation.scenario.open_file", loose)


@contextmanager
def _frame_log_after_opening(statement: str) -> Iterator[None]:
    begin = SqliteFrameLog.__init__

    def changed(self: SqliteFrameLog, *arguments: Any) -> None:
        begin(self, *arguments)
        self._file._db.executescript(statement)

    with patch.object(SqliteFrameLog, "__init__", changed):
        yield


def _edge_forgets_deliveries() -> AbstractContextManager[Any]:
    load = Deliveries.load

    def forgetful(self: Deliveries, db: Any) -> None:
        load(self, db)
        self.recent.clear()

    return patch.object(Deliveries, "load", forgetful)


def _quota_by_wall_clock() -> AbstractContextManager[Any]:
    begin = Intake.__init__

    def changed(self: Intake, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        self._steady_ms = self._now_ms

    return patch.object(Intake, "__init__", changed)


def _times_are_not_healed() -> AbstractContextManager[Any]:
    heal = UnsureTimes.heal
    return patch.object(UnsureTimes, "heal", lambda self, shift_ms, error_ms: heal(self, 0, error_ms))


async def _nothing(*_: Any) -> None:
    pass


async def _yes(*_: Any) -> bool:
    return True


MUTANTS: dict[str, Mutant] = {
    "the edge acknowledges before it has committed": _edge_acks_before_commit,
    "the edge takes a repeat for something new": lambda: patch.object(Intake, "_is_repeat", lambda *_: False),
    "the edge forgets deliveries when it starts": _edge_forgets_deliveries,
    "the edge takes any session that is there for the one of before": lambda: patch.object(
        Southbound, "_is_subscribed", _yes
    ),
    "the edge remembers deliveries of a session that is gone": lambda: patch.object(Intake, "begin_session", _nothing),
    "the edge forgets frames on the broker's word": _edge_trusts_the_broker,
    "the edge never sends again": lambda: patch.object(SendWindow, "overdue", lambda *_: []),
    "the outbox is not synced with each commit": _outbox_is_not_synced,
    "drops are not declared": lambda: patch("edge_agent.outbox.drops.shortened", lambda records: []),
    "declarations are dropped with their frames": lambda: patch.object(Drops, "_declared_in", lambda *_: []),
    "the edge does not notice that it was copied": lambda: patch(
        "edge_agent.uplink.handshake.is_copied", lambda *_: False
    ),
    "the edge does not send again what the cloud has lost": lambda: patch.object(Outbox, "wanted", lambda *_: None),
    "quotas count by a clock that is set": _quota_by_wall_clock,
    "times of a wrong clock are not healed": _times_are_not_healed,
    "the cloud acknowledges before it has committed": _cloud_acks_before_commit,
    "the frame log is not synced with each commit": lambda: _frame_log_after_opening("PRAGMA synchronous=NORMAL"),
    "the frame log has no unique key": lambda: _frame_log_after_opening("DROP INDEX frames_key"),
    "ingest lets the will of an earlier session stand": lambda: patch.object(Ingest, "_contradict", _nothing),
    "the live state takes what comes": lambda: patch("cloud_api.live.state.newer", lambda *_: True),
}
