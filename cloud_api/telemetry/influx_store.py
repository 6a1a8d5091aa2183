"""Telemetry in InfluxDB 1.x, or in 2.x and 3.x by their 1.x routes.

InfluxDB has no transaction. A batch's lines are written first, then the cursor as a point of its own; what a crash leaves
between the two is written again by the next run, point for point the same, and so overwrites itself: exactly once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

from cloud_api.projections.runner import OpenFrame
from cloud_api.telemetry.columns import shown
from cloud_api.telemetry.influx_http import InfluxAddress, InfluxHttp, Rejected
from cloud_api.telemetry.line_protocol import (
    NS_A_MS,
    READINGS,
    T_MS_MAX,
    T_MS_MIN,
    Block,
    Field,
    blocks_of,
    quality_field,
    tag,
)  # fmt: skip
from cloud_api.telemetry.store import Aggregate, Point, Source, StoreAway
from contracts.messages import Refused
from contracts.reading import Quality
from contracts.vocabulary import METRICS

Answer = TypeVar("Answer")
Refuse = Callable[[str, Refused], Awaitable[None]]
"""(gateway, what InfluxDB will never take). Idempotent: after a crash the same refusals come again."""

CURSOR = "linli_cursor"
LINES_A_WRITE = 5_000
READERS = 4
GENERATION_WITHOUT_DELETE = 3
HEAD_BYTES = 256
REASON_LENGTH_MAX = 300


class _Sample(NamedTuple):
    """One metric of one reading, for the rare write in which something is wrong."""

    block: Block
    reading: int
    field: Field

    @property
    def line(self) -> str:
        return self.block.line(self.reading, self.field)


class _Refusals:
    """One refusal a gateway, metric and reason of a batch, with their count: a type that changed would flood else."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], Refused] = {}

    def add(self, sample: _Sample, reason: str, detail: str) -> None:
        key = (sample.block.gateway, sample.field.metric, reason)
        if key in self.found:
            self.found[key].count += 1
            return
        line = sample.line.encode()
        self.found[key] = Refused(
            topic=f"telemetry/{sample.block.devices[sample.reading]}/{sample.field.metric}",
            reason=reason,
            detail=detail[:REASON_LENGTH_MAX],
            head=line[:HEAD_BYTES],
            size_bytes=len(line),
            at_ms=sample.block.t_ms[sample.reading],
        )


class InfluxStore:
    """See ``TelemetryStore``. The server need not be there at the start."""

    name = "telemetry"
    batch_frames = 200
    pace_s = 0.0

    def __init__(self, address: InfluxAddress, refuse: Refuse) -> None:
        self._writing, self._reading = InfluxHttp(address), InfluxHttp(address)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="telemetry-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="telemetry-read")
        self._refuse = refuse

    async def _write(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work)

    async def _read(self, influxql: str) -> list[list[Any]]:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._reading.query, influxql)

    # --- as a projection ---

    async def cursor(self) -> int:
        """See ``Projection.cursor``. Makes the database where there is none."""
        return await self._write(self._cursor)

    def _cursor(self) -> int:
        try:
            rows = self._writing.query(f'SELECT last("position") FROM "{CURSOR}"')
        except StoreAway as error:
            if "database not found" not in str(error):
                raise
            self._writing.create_database()
            return 0
        return int(rows[0][1]) if rows else 0

    async def apply(self, frames: Sequence[OpenFrame]) -> None:
        """See ``Projection.apply``. What InfluxDB will never take goes to ``refuse``; the rest is stored."""
        refusals = await self._write(lambda: self._apply(frames))
        for (gateway, _, _), refused in refusals.found.items():
            await self._refuse(gateway, refused)
        await self._write(lambda: self._writing.write([f"{CURSOR} position={frames[-1].position}i 0"]))

    def _apply(self, frames: Sequence[OpenFrame]) -> _Refusals:
        refusals = _Refusals()
        for lines, blocks in _portions(block for frame in frames for block in blocks_of(frame.columns)):
            times = [time for block in blocks for time in (min(block.t_ms), max(block.t_ms))]
            if min(times) < T_MS_MIN or max(times) > T_MS_MAX:
                self._sift(blocks, refusals)
                continue
            try:
                self._writing.write(lines)
            except Rejected:
                self._sift(blocks, refusals)
        return refusals

    def _sift(self, blocks: list[Block], refusals: _Refusals) -> None:
        """Write these metric by metric: InfluxDB refuses a whole line for one field, and one metric harms no other."""
        by_metric: dict[str, list[_Sample]] = {}
        for block in blocks:
            for field in block.fields:
                for reading, t_ms in enumerate(block.t_ms):
                    sample = _Sample(block, reading, field)
                    if T_MS_MIN <= t_ms <= T_MS_MAX:
                        by_metric.setdefault(field.metric, []).append(sample)
                    else:
                        refusals.add(sample, "time_out_of_range", f"{t_ms} ms is beyond what InfluxDB can hold")
        for samples in by_metric.values():
            self._halve(samples, refusals)

    def _halve(self, samples: list[_Sample], refusals: _Refusals) -> None:
        """Write these, and find those that are rejected by halving. What was taken before is written over by itself."""
        for at in range(0, len(samples), LINES_A_WRITE):
            portion = samples[at : at + LINES_A_WRITE]
            try:
                self._writing.write([sample.line for sample in portion])
            except Rejected as rejected:
                if len(portion) == 1 or rejected.dropped == len(portion):
                    for sample in portion:
                        refusals.add(sample, _reason(rejected), str(rejected))
                else:
                    middle = len(portion) // 2
                    self._halve(portion[:middle], refusals)
                    self._halve(portion[middle:], refusals)

    async def reset(self) -> None:
        """See ``Projection.reset``. The cursor goes first: a crash in between leaves data that is written over."""

        def empty() -> None:
            self._cursor()
            for measurement in (CURSOR, READINGS):
                self._writing.query(f'DROP MEASUREMENT "{measurement}"', change=True)

        await self._write(empty)

    # --- as a store ---

    async def series(
        self, source: Source, metric: str, start_ms: int, end_ms: int, limit: int, after: tuple[int, int] | None = None
    ) -> list[Point]:
        """See ``TelemetryStore.series``. A point's place is its nanosecond in its millisecond."""
        first_ns = _bounded(start_ms) * NS_A_MS
        if after is not None:
            first_ns = max(first_ns, _bounded(after[0]) * NS_A_MS + after[1] + 1)
        rows = await self._read(
            f'SELECT "{metric}", "{quality_field(metric)}" {_where(source, first_ns, _bounded(end_ms) * NS_A_MS)} '
            f"ORDER BY time LIMIT {limit}"
        )
        known = METRICS[metric]
        return [
            Point(time // NS_A_MS, shown(known, value), Quality(quality or 0), time % NS_A_MS)
            for time, value, quality in rows
        ]

    async def steps(
        self, source: Source, metric: str, start_ms: int, end_ms: int, step_ms: int, aggregate: Aggregate, limit: int
    ) -> list[Point]:
        """See ``TelemetryStore.steps``."""
        known = METRICS[metric]
        rows = await self._read(
            f'SELECT {aggregate}("{metric}"), max("{quality_field(metric)}") '
            f"{_where(source, _bounded(start_ms) * NS_A_MS, _bounded(end_ms) * NS_A_MS)} "
            f"GROUP BY time({step_ms}ms) fill(none) LIMIT {limit}"
        )
        as_it_is = aggregate in ("last", "min", "max") and known.type != "number"
        none = 0 if aggregate == "count" else None
        return [
            Point(
                time // NS_A_MS,
                none if value is None else shown(known, value) if as_it_is else value,
                Quality(quality or 0),
                0,
            )
            for time, value, quality in rows
        ]

    async def prune(self, before_ms: int) -> None:
        """See ``TelemetryStore.prune``."""
        await self._write(
            partial(
                self._writing.query,
                f'DELETE FROM "{READINGS}" WHERE time < {_bounded(before_ms) * NS_A_MS}',
                change=True,
            )
        )

    async def keeps_all(self) -> str:
        """See ``TelemetryStore.keeps_all``."""
        generation = await asyncio.get_running_loop().run_in_executor(self._readers, self._reading.generation)
        if generation < GENERATION_WITHOUT_DELETE:
            return ""
        return f"InfluxDB {generation} deletes nothing by a query: give the database a retention period of its own"

    async def close(self) -> None:
        """Close the connections, once what is on its way has ended (READ_S at most)."""
        for threads in (self._writer, self._readers):
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)
        self._writing.close()
        self._reading.close()


def _portions(blocks: Iterable[Block]) -> Iterator[tuple[list[str], list[Block]]]:
    """Whole blocks, together until they have LINES_A_WRITE lines; a block has at most READINGS_MAX."""
    lines: list[str] = []
    together: list[Block] = []
    for block in blocks:
        if together and len(lines) + len(block.lines) > LINES_A_WRITE:
            yield lines, together
            lines, together = [], []
        lines += block.lines
        together.append(block)
    if together:
        yield lines, together


def _bounded(t_ms: int) -> int:
    return min(max(t_ms, T_MS_MIN), T_MS_MAX)


def _where(source: Source, first_ns: int, end_ns: int) -> str:
    gateway, device = source
    return (
        f'FROM "{READINGS}" WHERE "device" = \'{tag(device)}\' AND "gateway" = \'{tag(gateway)}\' '
        f"AND time >= {first_ns} AND time < {end_ns}"
    )


def _reason(rejected: Rejected) -> str:
    word = str(rejected)
    if "field type conflict" in word:
        return "field_type_conflict"
    return "beyond_retention" if "retention policy" in word else "store_rejected"
