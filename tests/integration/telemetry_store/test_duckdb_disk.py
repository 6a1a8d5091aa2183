"""A full disk under DuckDB, also in the middle of a checkpoint, after which it wants its file opened anew."""

import asyncio
import random
from pathlib import Path

import pytest

from cloud_api.projections.runner import OpenFrame
from cloud_api.telemetry import StoreAway
from cloud_api.telemetry.duckdb_store import DuckDbStore
from contracts.frame import decode_columns, encode_frame
from contracts.reading import Clock, Reading, Sample
from tests.faults.test_disk import free_bytes, small_disk
from tests.integration.frames import T0

READINGS = 2_000
SOURCE = ("gw-1", "d")
WAL_BYTES = 16 * 2**20
"""DuckDB makes a checkpoint when its log is so large."""


@pytest.mark.parametrize("in_checkpoint", [False, True])
def test_a_full_disk_is_said_and_passes(tmp_path: Path, in_checkpoint: bool) -> None:
    chance = random.Random(1)
    readings = [
        Reading(
            "d", T0 + n, T0 + n, Clock.DEVICE, tuple(Sample(m, chance.random()) for m in ("temperature", "voltage"))
        )
        for n in range(READINGS)
    ]
    columns = decode_columns(encode_frame("gw-1", "0123456789abcdef", "bulk", 1, T0, 0, readings, []))

    async def scenario(disk: Path) -> None:
        file = disk / "telemetry.duckdb"
        store = DuckDbStore(file, 64)
        log, taken = file.with_name(f"{file.name}.wal"), 0

        async def take() -> None:
            nonlocal taken
            await store.apply([OpenFrame(taken + n + 1, T0, columns) for n in range(10)])
            taken += 10

        await take()
        if in_checkpoint:
            while log.stat().st_size < WAL_BYTES - 2**20:
                await take()
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(free_bytes(disk) - 3 * 2**20))
        with pytest.raises(StoreAway, match=r"No space left|invalidated"):
            while True:
                await take()
        assert free_bytes(disk) < 3 * 2**20
        said = []
        for _ in range(3):  # as the runner does, who stands still
            said.append(await store.cursor())
            with pytest.raises(StoreAway):
                await take()
        assert set(said) == {taken}
        ballast.unlink()
        assert await store.cursor() == taken
        await take()
        (count,) = await store.steps(SOURCE, "voltage", 0, 2**53, 2**53, "count", 1)
        assert count.value == taken * READINGS
        await store.close()
        again = DuckDbStore(file, 64)
        assert await again.cursor() == taken
        await again.close()

    with small_disk(tmp_path / "disk", 40_960) as disk:
        asyncio.run(scenario(disk))
