"""Virtual time, one queue of events, and the one source of everything random: the same seed is the same run."""

import contextlib
import gc
import heapq
import random
import secrets
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    import asyncio

    from tests.simulation.process import Process

BASE_MS = 1_790_000_000_000
STEPS_MAX = 400_000
"""A run that takes more steps does not end by itself."""
TRACE_KEPT = 300


class DoesNotConverge(AssertionError):
    """What was waited for did not come in the time it may take."""


class World:
    """Time and what happens in it. keep_trace: all of what happens, not only the last of it."""

    def __init__(self, seed: int, keep_trace: bool = False) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.now_s = 0.0
        self.faults: Counter[str] = Counter()
        self.errors: list[str] = []
        self.trace: deque[str] = deque(maxlen=None if keep_trace else TRACE_KEPT)
        self.events = 0
        self._digest = blake2b(digest_size=16)
        self._steps = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._ready: deque[tuple[Process, asyncio.Handle]] = deque()
        self._dead: list[Process] = []

    @property
    def fingerprint(self) -> str:
        """Of everything that was noted so far."""
        return self._digest.hexdigest()

    def now_ms(self) -> int:
        """UTC."""
        return BASE_MS + int(self.now_s * 1000)

    def note(self, what: str) -> None:
        """Write down what happened, for the message of a failure and to compare two runs."""
        line = f"{self.now_s:10.4f} {what}"
        self.trace.append(line)
        self.events += 1
        self._digest.update(line.encode())

    def fault(self, kind: str, detail: object = "") -> None:
        """A fault has been made, really."""
        self.faults[kind] += 1
        self.note(f"FAULT {kind} {detail}".rstrip())

    def after(self, delay_s: float, happen: Callable[[], None]) -> None:
        """Let something happen."""
        self.at(self.now_s + delay_s, happen)

    def at(self, when_s: float, happen: Callable[[], None]) -> None:
        """Let something happen at that time."""
        self._number += 1
        heapq.heappush(self._agenda, (max(when_s, self.now_s), self._number, happen))

    def soon(self, process: "Process", handle: "asyncio.Handle") -> None:
        """A step of a process's code."""
        self._ready.append((process, handle))

    def _step(self) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise DoesNotConverge(f"{STEPS_MAX} steps, and no end")
        if self._ready:
            process, handle = self._ready.popleft()
            if process.alive and not handle._cancelled:  # type: ignore[attr-defined]
                process.run(handle)
            return
        if not self._agenda:
            raise DoesNotConverge("nothing will ever happen again")
        self.now_s, _, happen = heapq.heappop(self._agenda)
        happen()

    def run_until(self, condition: Callable[[], object], what: str, deadline_s: float) -> None:
        """Go on until it holds; asked once in a while. Raises DoesNotConverge naming what did not come."""
        end_s = self.now_s + deadline_s
        while not condition():
            if self.now_s > end_s:
                raise DoesNotConverge(f"waited {deadline_s} simulated seconds for {what}")
            self.run_for(0.05)

    def run_for(self, seconds: float) -> None:
        """Go on for so long."""
        over = False

        def end() -> None:
            nonlocal over
            over = True

        self.after(seconds, end)
        while not over:
            self._step()

    def bury(self, process: "Process") -> None:
        """Its tasks must not be closed by the garbage collector at a moment that no seed decides."""
        self._dead.append(process)

    @contextlib.contextmanager
    def reign(self) -> Iterator[None]:
        """Within this nothing random comes from elsewhere, and nothing is left of it behind."""
        collected, unraisable = gc.isenabled(), sys.unraisablehook
        gc.disable()
        sys.unraisablehook = lambda _: None  # what a killed program's code says while it is being cleared away
        try:
            with patch.object(secrets, "token_hex", lambda size: self.chance.randbytes(size).hex()):
                yield
        finally:
            self._agenda.clear()
            self._ready.clear()
            for process in self._dead:
                process.forget()
            self._dead.clear()
            gc.collect()
            sys.unraisablehook = unraisable
            if collected:
                gc.enable()
