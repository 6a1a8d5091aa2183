"""Child processes: started, watched, started again when they die, stopped in order. None outlives the supervisor."""

import asyncio
import contextlib
import ctypes
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

STOP_S = 6.0
LOG_BYTES_MAX = 20_000_000
BACKOFF_S = (0.1, 0.3, 1.0, 3.0)
CHANGES_S = 0.1
STEADY_S = 10.0
"""A child that ran so long starts the back-off anew."""

_PR_SET_PDEATHSIG = 1


class ChildSpec(NamedTuple):
    """One program. ready: returns whether it is; asked again until it is. reads_again: files at whose change it gets a SIGHUP."""

    name: str
    command: Sequence[str]
    settings: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]]
    reads_again: Sequence[Path] = ()


class Child:
    """Keeps one program running. ``changed`` is called when its process id is another."""

    def __init__(
        self, spec: ChildSpec, logs: Path, environment: Mapping[str, str], changed: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.pid: int | None = None
        self._log = logs / f"{spec.name}.log"
        self._environment = {**environment, **spec.settings}
        self._changed = changed

    async def run(self) -> None:
        """Start it, and again whenever it ends, until cancelled; then stop it."""
        attempt = 0
        while True:
            began = asyncio.get_running_loop().time()
            process = await self._start()
            watching = asyncio.create_task(_tell_of_changes(process, self.spec.reads_again))
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await _stop(process)
                raise
            finally:
                watching.cancel()
                self.pid = None
            attempt = 0 if asyncio.get_running_loop().time() - began > STEADY_S else attempt + 1
            log.warning("%s ended with %s and is started again", self.spec.name, code)
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])

    async def _start(self) -> asyncio.subprocess.Process:
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES_MAX:
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C reaches the supervisor only, which stops its children in order
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        self.pid = process.pid
        self._changed()
        return process

    async def wait_ready(self) -> None:
        """Return when the program is ready."""
        while not (self.pid and await self.spec.ready()):
            await asyncio.sleep(0.05)


async def _tell_of_changes(process: asyncio.subprocess.Process, files: Sequence[Path]) -> None:
    seen = _marks(files)
    while files:
        await asyncio.sleep(CHANGES_S)
        if (now := _marks(files)) != seen:
            seen = now
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGHUP)


def _marks(files: Sequence[Path]) -> list[tuple[int, int]]:
    return [(at.st_ino, at.st_mtime_ns) for at in (file.stat() for file in files if file.exists())]


def _die_with_parent() -> None:
    """In the child, before it becomes the program: if the supervisor is killed, so is this."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
