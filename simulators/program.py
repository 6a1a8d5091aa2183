"""What the verbs of ``simulate`` run: the only place that reads clocks and makes the driver's parts."""

import asyncio
import signal
import sys
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from random import Random
from typing import Any, TextIO

from simulators.driver import Address, Driver
from simulators.world import DeviceSpec, World, event_line, plan_of
from simulators.world.rhythms import HOUR_MS

WORLD_START_MS = 1_767_542_400_000
"""Monday 2026-01-05 0:00 in China: where `simulate world` begins, so that a seed says everything."""


def wall_ms() -> int:
    """UTC, this machine's clock."""
    return time.time_ns() // 1_000_000


def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` until it is done or SIGINT or SIGTERM comes; both ends are clean."""

    async def supervise() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(supervise())


def write_world(seed: int, devices: int, hours: float, out: Path, progress: TextIO) -> dict[str, float]:
    """Run a world of ``devices`` in virtual time and write its event log. Returns what it took."""
    began_s = time.monotonic()
    world = World(plan_of(devices), seed, WORLD_START_MS)
    events = size_bytes = 0
    shows = progress.isatty()
    with nullcontext(sys.stdout.buffer) if str(out) == "-" else out.open("wb", buffering=1 << 20) as log:
        for hour in range(int(hours) + 1):
            end_ms = WORLD_START_MS + int(min(hour + 1, hours) * HOUR_MS)
            for event in world.run_until(end_ms):
                line = event_line(event)
                events += 1
                size_bytes += len(line)
                log.write(line)
            done = min(hour + 1.0, hours)
            progress.write(f"{chr(13) if shows else ''}{done:g} of {hours:g} hours, {events} events")
            progress.write("" if shows else "\n")
            progress.flush()
            if done >= hours:
                break
        log.flush()
    if shows:
        progress.write("\n")
    took_s = round(time.monotonic() - began_s, 3)
    return {"devices": devices, "hours": hours, "events": events, "bytes": size_bytes, "seconds": took_s}


async def play_community(
    plan: Sequence[DeviceSpec], brokers: Mapping[str, Address], seed: int, speed: float, ready_file: Path | None
) -> None:
    """Devices only, against brokers that are there already; ends when cancelled."""
    world = World(plan, seed, wall_ms())
    driver = Driver(world, plan, brokers, speed, Random(), time.monotonic, wall_ms)

    def all_connected() -> None:
        sys.stderr.write("devices are up\n")
        sys.stderr.flush()
        if ready_file is not None:
            ready_file.write_text("ready\n")

    await driver.run(all_connected)
