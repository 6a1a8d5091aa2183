"""The tracks of all devices, as a projection: in memory for readers, in SQLite with the cursor for the next start."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from cloud_api.live import Source
from cloud_api.live.latest import latest_rows, observed_times, values_at
from cloud_api.projections.runner import OpenFrame
from cloud_api.quality.suite import DOUBTED, TRACKED, Finding, findings
from cloud_api.quality.tracks import DeviceTracks
from cloud_api.sqlite_thread import SqliteThread
from contracts.columns import Group
from contracts.reading import Value
from contracts.vocabulary import METRICS_BY_NUMBER
from device_registry import SourceSpan

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tracks (
    gateway TEXT NOT NULL, device TEXT NOT NULL, tracks BLOB NOT NULL, PRIMARY KEY (gateway, device)
) WITHOUT ROWID;
"""

FRAMES_A_TURN = 20

_Past = tuple[list[int], dict[str, list[tuple[int, Value]]]]
"""(times at which a device spoke, its tracked metrics' samples), in the order in which they are stored."""


def _gather(past: dict[Source, _Past], gateway: str, devices: Sequence[str], group: Group) -> None:
    """Of each device of the group its newest row."""
    rows = latest_rows(group)
    observed = observed_times(group)
    places = list(rows.values())
    times = [observed[row] for row in places]
    its: list[_Past] = []
    for device, t_ms in zip(rows, times, strict=True):
        source = (gateway, devices[device])
        found = past.get(source)
        if found is None:
            found = past[source] = ([], {})
        found[0].append(t_ms)
        its.append(found)
    for column in group.metrics:
        metric = METRICS_BY_NUMBER[column.metric].name
        if metric not in TRACKED:
            continue
        for (_, samples), t_ms, value in zip(its, times, values_at(column, group.count, places), strict=True):
            if value is not None:
                if metric in samples:
                    samples[metric].append((t_ms, value))
                else:
                    samples[metric] = [(t_ms, value)]


def _doubted(found: Sequence[Finding]) -> dict[str, str]:
    return {each.metric: each.check for each in found if each.check in DOUBTED}


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

    def tracks(self, source: Source) -> DeviceTracks | None:
        """The past of this device; None while nothing was heard of it."""
        return self._tracks.get(source)

    def findings(self, source: Source, now_ms: int) -> list[Finding]:
        """What is wrong with what this source says now, as far as it can be seen."""
        tracks = self.tracks(source)
        return findings(tracks, now_ms) if tracks is not None else []

    def doubts(self, source: Source) -> Mapping[str, str]:
        """metric -> why its newest value is not to be believed, as of the last samples."""
        return self._doubts.get(source, {})

    def findings_of(self, spans: Sequence[SourceSpan], now_ms: int) -> list[Finding]:
        """What is wrong now with a device that had these sources, the oldest first."""
        if len(spans) == 1 and spans[0].is_whole:
            return self.findings(spans[0].source, now_ms)
        return findings(self._past_of(spans), now_ms)

    def doubts_of(self, spans: Sequence[SourceSpan]) -> Mapping[str, str]:
        """See ``doubts``, of a device that had these sources, the oldest first."""
        if len(spans) == 1 and spans[0].is_whole:
            return self.doubts(spans[0].source)
        past = self._past_of(spans)
        return _doubted(findings(past, past.heard_ms[-1])) if past.heard_ms else {}

    def _past_of(self, spans: Sequence[SourceSpan]) -> DeviceTracks:
        past = DeviceTracks()
        for span in spans:
            if (tracks := self.tracks(span.source)) is not None:
                past = past.followed_by(tracks.within(span.from_ms, span.to_ms))
        return past

    async def cursor(self) -> int:
        """See ``Projection.cursor``."""
        row = await self._file.read(lambda db: db.execute("SELECT position FROM cursor").fetchone())
        return int(row[0]) if row else 0

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """See ``Projection.apply``. Taking a frame again after a failed write changes nothing."""
        past: dict[Source, _Past] = {}
        for number, frame in enumerate(frames, 1):
            gateway = frame.columns.header.gateway
            for group in frame.columns.groups:
                _gather(past, gateway, frame.columns.devices, group)
            if number % FRAMES_A_TURN == 0:
                await asyncio.sleep(0)  # ingest runs on the same loop
        for source, (times_ms, samples) in past.items():
            tracks = self._tracks.get(source)
            if tracks is None:
                tracks = self._tracks[source] = DeviceTracks()
            tracks.heard(times_ms)
            for metric, its in samples.items():
                tracks.take(metric, its)
        rows = [(*source, self._encoder.encode(self._tracks[source])) for source in past]
        position = frames[-1].position

        def keep(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO tracks VALUES (?, ?, ?)", rows)
            db.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?)", (position,))

        try:
            await self._file.write(keep)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error
        for source in past:
            self._judge(source)

    def _judge(self, source: Source) -> None:
        tracks = self._tracks[source]
        doubts = _doubted(findings(tracks, tracks.heard_ms[-1]))
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
