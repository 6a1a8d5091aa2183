"""Telemetry in DuckDB: whole columns appended, the cursor in the same transaction. One process, one thread.

Never a primary key on samples: five times slower and nine times larger; the cursor makes appends exactly-once.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import numpy.typing as npt

from cloud_api.projections.runner import OpenFrame
from cloud_api.telemetry.columns import Longs, longs, numbers, observed_ms, shown
from cloud_api.telemetry.store import Aggregate, Point, Source, StoreAway
from contracts.columns import TEXT, Group
from contracts.reading import Quality
from contracts.vocabulary import METRICS

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS progress (position BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS series (
    id INTEGER NOT NULL, gateway VARCHAR NOT NULL, device VARCHAR NOT NULL, metric USMALLINT NOT NULL);
CREATE TABLE IF NOT EXISTS samples (series INTEGER NOT NULL, t_ms BIGINT NOT NULL, value DOUBLE, quality UTINYINT NOT NULL);
CREATE TABLE IF NOT EXISTS texts (series INTEGER NOT NULL, t_ms BIGINT NOT NULL, value VARCHAR, quality UTINYINT NOT NULL);
"""
_AGGREGATES: dict[Aggregate, str] = {
    "count": "count(value)",
    "sum": "sum(value)",
    "min": "min(value)",
    "max": "max(value)",
    "mean": "avg(value)",
    "last": "arg_max(value, (t_ms, rowid))",
}


_OF_THE_DISK = (duckdb.IOException, duckdb.TransactionException, duckdb.FatalException, duckdb.OutOfMemoryException)
"""What DuckDB says when the disk does not take something, or memory does not. All of it may pass."""


NO_ROOM = "No space left on device"
TIDY_S = 60.0
KEPT_MB = 2
"""Of what was read or written DuckDB keeps so much in memory from one minute to the next; the system's own cache has it too."""


class DuckDbStore:
    """See ``TelemetryStore``. Only one process may have the file open.

    After an error in a checkpoint (a full disk) DuckDB refuses all further work until the file is opened anew: it is.
    Raises StoreAway when there is no room to open it, duckdb.Error when it can't be opened at all.
    """

    name = "telemetry"
    batch_frames = 200
    pace_s = 0.1

    def __init__(self, path: Path, memory_mb_max: int = 512) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="telemetry")
        self._path = path
        self._memory_limit = f"{memory_mb_max}MB"
        self._tidied_s = 0.0
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": self._memory_limit,
            "threads": "2",
        }
        self._series: dict[tuple[str, str, int], int] = {}
        try:
            self._open()
        except duckdb.Error as error:
            if NO_ROOM not in str(error):
                raise
            raise StoreAway(f"DuckDB: {error}") from error

    def _open(self) -> None:
        self._db = duckdb.connect(str(self._path), config=self._config)
        self._is_open = True
        self._db.execute(_SCHEMA)
        rows = self._db.execute("SELECT gateway, device, metric, id FROM series").fetchall()
        self._series = {(gateway, device, metric): number for gateway, device, metric, number in rows}

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        """Raises StoreAway."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    def _guarded(self, work: Callable[[], Answer]) -> Answer:
        with _disk_errors():
            if not self._is_open:
                self._open()
            try:
                return work()
            except duckdb.FatalException as error:
                log.error("the telemetry file is opened anew", extra={"error": str(error)})
                self._is_open = False
                self._db.close()
                raise

    # --- as a projection ---

    async def cursor(self) -> int:
        """See ``Projection.cursor``."""
        row = await self._run(lambda: self._db.execute("SELECT max(position) FROM progress").fetchone())
        return int(row[0]) if row and row[0] is not None else 0

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """See ``Projection.apply``. Raises StoreAway when the disk does not take it."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._tidied_s >= TIDY_S:
            self._tidied_s = now_s
            await self._run(self._tidy)  # not behind the commit: its errors must not say that this was not taken
        await self._run(lambda: self._apply(frames))

    def _tidy(self) -> None:
        """What was appended goes from memory into the file, and what is kept of the file in memory is let go of.

        Left alone DuckDB does the former after 16 MB of its log, and the latter at the bound: for days its memory only grows.
        """
        self._db.execute("CHECKPOINT")
        with contextlib.suppress(duckdb.OutOfMemoryException):  # more than that is in use
            self._db.execute(f"SET memory_limit = '{KEPT_MB}MB'")
        self._db.execute(f"SET memory_limit = '{self._memory_limit}'")

    def _apply(self, frames: Sequence[OpenFrame]) -> None:
        known = dict(self._series)
        added: list[tuple[int, str, str, int]] = []
        samples = _Columns()
        texts: list[tuple[int, int, str | None, int]] = []
        for frame in frames:
            for group in frame.columns.groups:
                self._unfold(frame, group, added, samples, texts)
        try:
            self._db.execute("BEGIN")
            if added:
                columns = [list(column) for column in zip(*added, strict=True)]  # a row at a time costs a ms each
                self._db.execute("INSERT INTO series SELECT unnest(?), unnest(?), unnest(?), unnest(?)", columns)
            if samples.series:
                batch = samples.joined()  # noqa: F841  DuckDB finds it by its name
                self._db.execute(
                    "INSERT INTO samples SELECT series, t_ms, CASE WHEN isnan(value) THEN NULL ELSE value END, quality "
                    "FROM batch"
                )
            if texts:
                self._db.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", texts)
            self._db.execute("DELETE FROM progress")
            self._db.execute("INSERT INTO progress VALUES (?)", (frames[-1].position,))
            self._db.execute("COMMIT")
        except duckdb.Error:
            self._series = known
            with contextlib.suppress(duckdb.Error):  # a commit that fails has ended the transaction
                self._db.rollback()
            raise

    def _unfold(
        self,
        frame: OpenFrame,
        group: Group,
        added: list[tuple[int, str, str, int]],
        samples: "_Columns",
        texts: list[tuple[int, int, str | None, int]],
    ) -> None:
        columns = frame.columns
        gateway = columns.header.gateway
        devices = longs(group.device_index, group.count)
        t_ms = observed_ms(group)
        present = np.unique(devices)
        for column in group.metrics:
            places_of = np.zeros(len(columns.devices), np.int32)
            for device in present:
                key = (gateway, columns.devices[device], column.metric)
                number = self._series.get(key)
                if number is None:
                    number = self._series[key] = len(self._series) + 1
                    added.append((number, *key))
                places_of[device] = number
            series = places_of[devices]
            quality = np.zeros(group.count, np.uint8)
            for place, doubt, _ in column.doubts:
                quality[place] = doubt
            if column.kind == TEXT:
                gone = set(column.absent)
                places = column.raw.unpack(group.count)
                texts += [
                    (int(series[at]), int(t_ms[at]), None if at in gone else column.texts[places[at]], int(quality[at]))
                    for at in range(group.count)
                ]
            else:
                samples.add(series, t_ms, numbers(column, group.count), quality)

    async def reset(self) -> None:
        """See ``Projection.reset``."""

        def empty() -> None:
            self._db.execute(
                "BEGIN; DELETE FROM samples; DELETE FROM texts; DELETE FROM series; DELETE FROM progress; COMMIT"
            )
            self._series.clear()

        await self._run(empty)

    # --- as a store ---

    async def series(
        self, source: Source, metric: str, start_ms: int, end_ms: int, limit: int, after: tuple[int, int] | None = None
    ) -> list[Point]:
        """See ``TelemetryStore.series``."""
        known, number = METRICS[metric], self._series.get((*source, METRICS[metric].number))
        if number is None:
            return []
        table = "texts" if known.type == "text" else "samples"
        t_after, place_after = after or (start_ms, -1)
        rows = await self._query(
            f"SELECT t_ms, value, quality, rowid FROM {table} WHERE series = ? AND t_ms >= ? AND t_ms < ? "
            "AND (t_ms > ? OR rowid > ?) ORDER BY t_ms, rowid LIMIT ?",
            [number, max(start_ms, t_after), end_ms, t_after, place_after, limit],
        )
        return [Point(t_ms, shown(known, value), Quality(quality), place) for t_ms, value, quality, place in rows]

    async def steps(
        self, source: Source, metric: str, start_ms: int, end_ms: int, step_ms: int, aggregate: Aggregate, limit: int
    ) -> list[Point]:
        """See ``TelemetryStore.steps``."""
        known, number = METRICS[metric], self._series.get((*source, METRICS[metric].number))
        if number is None:
            return []
        table = "texts" if known.type == "text" else "samples"
        rows = await self._query(
            f"SELECT t_ms // ? * ? AS step, {_AGGREGATES[aggregate]}, max(quality) FROM {table} "
            "WHERE series = ? AND t_ms >= ? AND t_ms < ? GROUP BY step ORDER BY step LIMIT ?",
            [step_ms, step_ms, number, start_ms, end_ms, limit],
        )
        as_it_is = aggregate in ("last", "min", "max") and known.type != "number"
        return [
            Point(t_ms, shown(known, value) if as_it_is else value, Quality(quality), 0)
            for t_ms, value, quality in rows
        ]

    async def prune(self, before_ms: int) -> None:
        """See ``TelemetryStore.prune``."""
        for table in ("samples", "texts"):
            await self._query(f"DELETE FROM {table} WHERE t_ms < ?", [before_ms])

    async def keeps_all(self) -> str:
        """See ``TelemetryStore.keeps_all``."""
        return ""

    async def _query(self, sql: str, values: list[Any]) -> list[Any]:
        return await self._run(lambda: self._db.execute(sql, values).fetchall())

    async def close(self) -> None:
        """Close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._db.close)
        self._thread.shutdown()


@contextlib.contextmanager
def _disk_errors() -> Generator[None]:
    try:
        yield
    except _OF_THE_DISK as error:
        raise StoreAway(f"DuckDB: {error}") from error


class _Columns:
    """Columns of many groups, joined once."""

    def __init__(self) -> None:
        self.series: list[npt.NDArray[np.int32]] = []
        self._t_ms: list[Longs] = []
        self._values: list[npt.NDArray[np.float64]] = []
        self._quality: list[npt.NDArray[np.uint8]] = []

    def add(
        self,
        series: npt.NDArray[np.int32],
        t_ms: Longs,
        values: npt.NDArray[np.float64],
        quality: npt.NDArray[np.uint8],
    ) -> None:
        self.series.append(series)
        self._t_ms.append(t_ms)
        self._values.append(values)
        self._quality.append(quality)

    def joined(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "series": np.concatenate(self.series),
            "t_ms": np.concatenate(self._t_ms),
            "value": np.concatenate(self._values),
            "quality": np.concatenate(self._quality),
        }
