"""DuckDB would keep every block of its table that was ever written, until its bound: what looks like a leak in a soak."""

import asyncio
import os
from pathlib import Path

import pytest

from cloud_api.projections.runner import OpenFrame
from cloud_api.telemetry import duckdb_store
from cloud_api.telemetry.duckdb_store import DuckDbStore
from contracts.frame import decode_columns, encode_frame
from contracts.reading import Clock, Reading, Sample
from tests.integration.frames import T0

READINGS = 2_000
APPLIED = 200
BOUND_MB = 512


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_memory_stays_while_the_table_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_store, "TIDY_S", 0.2)
    readings = [
        Reading("d", T0 + 7 * n, T0 + 7 * n, Clock.DEVICE, (
            Sample("message_count", n), Sample("temperature", (n * 7_919 % 9_770) / 200),
            Sample("humidity", n * 31 % 1_000 / 10),
        ))
        for n in range(READINGS)
    ]  # fmt: skip
    columns = decode_columns(encode_frame("gw-1", "0123456789abcdef", "bulk", 1, T0, 0, readings, []))

    async def scenario() -> list[float]:
        store = DuckDbStore(tmp_path / "telemetry.duckdb", BOUND_MB)
        course = []
        for position in range(1, 2 * APPLIED + 1):
            await store.apply([OpenFrame(position, T0, columns)])
            course.append(resident_mb())
        await store.close()
        return course

    course = asyncio.run(scenario())
    first, second = max(course[:APPLIED]), max(course[APPLIED:])
    on_disk_mb = (tmp_path / "telemetry.duckdb").stat().st_size / 2**20
    print(f"{first:.1f} MB in the first half, {second:.1f} MB in the second; {on_disk_mb:.1f} MB on disk")
    assert on_disk_mb > 6, "there was too little to keep"
    assert second < first + 4
