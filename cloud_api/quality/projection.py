"""The tracks of all devices, as a projection: in memory for readers, in SQLite with the cursor for the next start."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from cloud_api.live import Source
from cloud_api.live.latest import latest_of
from cloud_api.projections.runner import OpenFrame
from cloud_api.quality.suite import DOUBTED, TRACKED, Finding, findings
from cloud_api.quality.tracks import DeviceTracks
from cloud_api.sqlite_thread import SqliteThread

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tracks (
    gateway TEXT NOT NULL, device TEXT NOT NULL, tracks BLOB NOT NULL, PRIMARY KEY (gateway, device)
) WITHOUT ROWID;
"""


class QualityTracks:
    """See ``Projection``. Of each frame it takes each device's newest sample of each metric: enough to judge the present.

    It may lag behind ``live`` by ``pace_s``: no check looks at less than a few seconds.
    """

    name = "quality"
    batch_frames = 500
    pace_s = 2.0

    def __init__(self, path: Path) -> None:
        self._file = SqliteThread(path, _SCHEMA, "NORMAL")
        self._tracks: dict[Source, DeviceTracks] = {}
        self._doubts: dict[Source, dict[str, str]] = {}
        self._encoder = msgspec.msgpack.Encoder()

    async def load(self) -> None:
        """Read what the file holds into memory; to be called once, before anything else."""
        decoder = msgspec.msgpack.Decoder(DeviceTracks)
        rows = await self._file.read(lambda db: db.execute("SELECT gateway, device, tracks FROM tracks").fetchall())
        for gateway, device, tracks in rows:
            self._tracks[gateway, device] = decoder.decode(tracks)
            self._judge((gateway, device))

    def findings(self, source: Source, now_ms: int) -> list[Finding]:
        """What is wrong with this device now, as far as it can be seen."""
        tracks = self._tracks.get(source)
        return findings(tracks, now_ms) if tracks is not None else []

    def doubts(self, source: Source) -> Mapping[str, str]:
        """metric -> why its newest value is not to be believed, as of the last samples."""
        return self._doubts.get(source, {})

    async def cursor(self) -> int:
        """See ``Projection.cursor``."""
        row = await self._file.read(lambda db: db.execute("SELECT position FROM cursor").fetchone())
        return int(row[0]) if row else 0

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """See ``Projection.apply``. Taking a frame again after a failed write changes nothing."""
        touched: set[Source] = set()
        for frame in frames:
            gateway = frame.columns.header.gateway
            for device, latest in latest_of(frame.columns):
                source = (gateway, device)
                touched.add(source)
                tracks = self._tracks.get(source)
                if tracks is None:
                    tracks = self._tracks[source] = DeviceTracks()
                for metric, value in latest.items():
                    tracks.take(metric, value.observed_ms, value.value if metric in TRACKED else None)
        rows = [(*source, self._encoder.encode(self._tracks[source])) for source in touched]
        position = frames[-1].position

        def keep(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO tracks VALUES (?, ?, ?)", rows)
            db.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (position,))

        try:
            await self._file.write(keep)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error
        for source in touched:
            self._judge(source)

    def _judge(self, source: Source) -> None:
        tracks = self._tracks[source]
        found = findings(tracks, tracks.heard_ms[-1])
        doubts = {each.metric: each.check for each in found if each.check in DOUBTED}
        if doubts:
            self._doubts[source] = doubts
        else:
            self._doubts.pop(source, None)

    async def reset(self) -> None:
        """See ``Projection.reset``."""

        def empty(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM tracks")
            db.execute("DELETE FROM cursor")

        await self._file.write(empty)
        self._tracks.clear()
        self._doubts.clear()

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()
