"""The latest values, as a projection: in memory for readers, in SQLite with the cursor for the next start."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cloud_api.live.hub import Hub, Source
from cloud_api.live.latest import LiveValue, latest_of_all, newer
from cloud_api.projections.runner import OpenFrame
from cloud_api.sqlite_thread import SqliteThread
from device_registry import SourceSpan

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS latest (
    gateway TEXT NOT NULL, device TEXT NOT NULL, metric TEXT NOT NULL, latest BLOB NOT NULL,
    PRIMARY KEY (gateway, device, metric)
) WITHOUT ROWID;
"""


class LiveState:
    """See ``Projection``. ``state`` answers from memory; ``hub`` tells of changes."""

    name = "live"
    batch_frames = 100
    pace_s = 0.0

    def __init__(self, path: Path, hub: Hub) -> None:
        self.hub = hub
        self._file = SqliteThread(path, _SCHEMA, "NORMAL")
        self._latest: dict[Source, dict[str, LiveValue]] = {}
        self._encoder = msgspec.msgpack.Encoder()

    async def load(self) -> None:
        """Read what the file holds into memory; to be called once, before anything else."""
        decoder = msgspec.msgpack.Decoder(LiveValue)
        rows = await self._file.read(
            lambda db: db.execute("SELECT gateway, device, metric, latest FROM latest").fetchall()
        )
        for gateway, device, metric, latest in rows:
            self._latest.setdefault((gateway, device), {})[metric] = decoder.decode(latest)

    def state(self, source: Source) -> Mapping[str, LiveValue]:
        """The latest value of every metric of this source; empty when nothing was heard of it."""
        return self._latest.get(source, {})

    def state_of(self, spans: Sequence[SourceSpan]) -> Mapping[str, LiveValue]:
        """The latest value of every metric of a device that had these sources, the oldest first.

        Of an old source only its latest values are known: what it said within its span is hidden by what came after it.
        """
        if len(spans) == 1 and spans[0].is_whole:
            return self.state(spans[0].source)
        return {
            metric: value
            for span in spans  # a later span's word is newer
            for metric, value in self.state(span.source).items()
            if span.holds(value.observed_ms)
        }

    def latest(self, gateway: str, device: str, metric: str) -> LiveValue | None:
        """The latest value of one metric."""
        return self._latest.get((gateway, device), {}).get(metric)

    def publish(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell watchers of something that is not a value: a command, a gateway."""
        self.hub.publish(kind, data)

    async def cursor(self) -> int:
        """See ``Projection.cursor``."""
        row = await self._file.read(lambda db: db.execute("SELECT position FROM cursor").fetchone())
        return int(row[0]) if row else 0

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """See ``Projection.apply``. Watchers are told once it is on disk."""
        changed: dict[Source, dict[str, LiveValue]] = {}
        for source, metrics in latest_of_all([frame.columns for frame in frames]).items():
            known = self._latest.get(source, {})
            fresh = {metric: value for metric, value in metrics.items() if newer(value, known.get(metric))}
            if fresh:
                changed[source] = fresh
        rows = [
            (*source, metric, self._encoder.encode(value))
            for source, metrics in changed.items()
            for metric, value in metrics.items()
        ]
        position = frames[-1].position

        def keep(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?)", rows)
            db.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (position,))

        await self._file.write(keep)
        for source, metrics in changed.items():
            self._latest.setdefault(source, {}).update(metrics)
            self.hub.publish("state", {}, source, metrics)

    async def reset(self) -> None:
        """See ``Projection.reset``."""

        def empty(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM latest")
            db.execute("DELETE FROM cursor")

        await self._file.write(empty)
        self._latest.clear()

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()
