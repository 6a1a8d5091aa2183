"""Virtual time, one queue of events, and processes whose asyncio code runs in it and can be killed between any two steps.

A process has an event loop of its own that is driven from here: a handle at a time, in the order of virtual time. Work
that the code gives to a thread is carried out in one piece at a random time, in the thread's order. Everything random
comes from the seed, so the same seed is the same run.
"""

import asyncio
import contextlib
import heapq
import random
import zlib
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any

BASE_MS = 1_790_000_000_000
STEPS_MAX = 400_000
"""A run that takes more steps does not end by itself."""


class DoesNotConverge(AssertionError):
    """What was waited for did not come in the time it may take."""


class World:
    """Time and what happens in it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.now_s = 0.0
        self.faults: list[str] = []
        self.errors: list[str] = []
        self.history: deque[str] = deque(maxlen=400)
        self.fingerprint = 0
        self._steps = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._ready: deque[tuple[Process, asyncio.Handle]] = deque()
        self._dead: list[Process] = []

    def now_ms(self) -> int:
        """UTC."""
        return BASE_MS + int(self.now_s * 1000)

    def note(self, what: str) -> None:
        """Remember what happened, for the message of a failure and to compare two runs."""
        line = f"{self.now_s:9.4f} {what}"
        self.history.append(line)
        self.fingerprint = zlib.crc32(line.encode(), self.fingerprint)

    def fault(self, what: str) -> None:
        """A fault has been made."""
        self.faults.append(what)
        self.note(f"FAULT {what}")

    def after(self, delay_s: float, happen: Callable[[], None]) -> None:
        """Let something happen."""
        self.at(self.now_s + delay_s, happen)

    def at(self, when_s: float, happen: Callable[[], None]) -> None:
        """Let something happen at that time."""
        self._number += 1
        heapq.heappush(self._events, (max(when_s, self.now_s), self._number, happen))

    def soon(self, process: "Process", handle: asyncio.Handle) -> None:
        """A step of a process's code."""
        self._ready.append((process, handle))

    def step(self) -> None:
        """The next thing that happens."""
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise DoesNotConverge(f"{STEPS_MAX} steps, and no end")
        if self._ready:
            process, handle = self._ready.popleft()
            if process.alive and not handle.cancelled():
                process.run(handle)
            return
        if not self._events:
            raise DoesNotConverge("nothing will ever happen again")
        self.now_s, _, happen = heapq.heappop(self._events)
        happen()

    def run_until(self, condition: Callable[[], object], what: str, deadline_s: float) -> None:
        """Go on until it holds; asked once in every 10 ms. Raises DoesNotConverge naming what did not come."""
        end_s = self.now_s + deadline_s
        while not condition():
            if self.now_s > end_s:
                raise DoesNotConverge(f"waited {deadline_s} simulated seconds for {what}")
            self.run_for(0.01)

    def run_for(self, seconds: float) -> None:
        """Go on for so long."""
        over = False

        def end() -> None:
            nonlocal over
            over = True

        self.after(seconds, end)
        while not over:
            self.step()

    def bury(self, process: "Process") -> None:
        """Its tasks must not be closed by the garbage collector at a moment that no seed decides."""
        self._dead.append(process)

    def end(self) -> None:
        """Nothing happens any more."""
        self._events.clear()
        self._ready.clear()
        for process in self._dead:
            process.forget()
        self._dead.clear()


class Process:
    """One program. ``kill`` is kill -9: no step of its code runs any more, none of its output leaves it any more."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.on_death: list[Callable[[], None]] = []
        self.loop = SimLoop(world, self)
        self._steps_left = -1
        self._work_left = -1
        self._work_mode: Callable[[Callable[[], None]], None] | None = None
        self._last_word: Callable[[], None] = lambda: None

    def start(self, main: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run this; an error in it that nobody asked for is a failure of the run."""
        task = self.loop.create_task(main)
        task.set_name(self.name)

        def ended(task: "asyncio.Task[None]") -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.world.errors.append(f"{self.name} ended with {error!r}")

        task.add_done_callback(ended)
        return task

    def run(self, handle: asyncio.Handle) -> None:
        """One step of its code, unless it is to die before that."""
        if self._steps_left >= 0:
            self._steps_left -= 1
            if self._steps_left < 0:
                self._last_word()
                return
        with self.inside():
            handle._run()

    @contextlib.contextmanager
    def inside(self) -> Any:
        """Its event loop is the running one."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self.loop)
        try:
            yield
        finally:
            asyncio._set_running_loop(before)

    def work(self, job: Callable[[], None]) -> None:
        """A piece of work in one of its threads, unless it is to die around it."""
        if self._work_mode is not None:
            self._work_left -= 1
            if self._work_left < 0:
                self._work_mode(job)
                return
        job()

    def die_at_step(self, steps: int, die: Callable[[], None]) -> None:
        """Call ``die`` instead of the n-th next step of its code."""
        self._steps_left, self._last_word = steps, die

    def die_at_work(self, pieces: int, die: Callable[[Callable[[], None]], None]) -> None:
        """Call ``die`` with the n-th next piece of work on its disk, instead of doing it."""
        self._work_left, self._work_mode = pieces, die

    def kill(self) -> None:
        """It is gone."""
        assert self.alive
        self.alive = False
        self.world.bury(self)
        for tell in self.on_death:
            tell()
        self.on_death.clear()

    def forget(self) -> None:
        """Close what its coroutines hold, with no effect on anything outside."""
        for task in self.loop.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            if task.done():
                if not task.cancelled():
                    task.exception()
                continue
            coroutine: Any = task.get_coro()
            with self.inside():
                for _ in range(20):  # code that waits while it is being closed is closed again
                    try:
                        coroutine.close()
                        break
                    except BaseException:  # noqa: BLE001
                        continue
        self.loop.tasks.clear()


class SimLoop(asyncio.AbstractEventLoop):
    """As much of an event loop as the programs' code needs."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self.process = process
        self.tasks: list[asyncio.Task[Any]] = []
        self.connect: Callable[[asyncio.BaseProtocol], asyncio.Transport] | None = None
        self._threads: dict[Executor | None, float] = {}
        self._tasks_kept = 64

    def time(self) -> float:
        return self.world.now_s

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        handle = asyncio.Handle(callback, args, self, context)
        self.world.soon(self.process, handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.world.at(when, lambda: None if handle.cancelled() else self.world.soon(self.process, handle))
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        return self.call_at(self.world.now_s + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> "asyncio.Task[Any]":  # type: ignore[override]
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        self.tasks.append(task)
        if len(self.tasks) > self._tasks_kept:
            self.tasks = [each for each in self.tasks if not each.done()]
            self._tasks_kept = 2 * len(self.tasks) + 64
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """In the thread's own order, in one piece, after a random while; the answer comes a little later."""
        future = self.create_future()
        chance = self.world.chance
        done_s = max(self.world.now_s, self._threads.get(executor, 0.0)) + chance.uniform(0.0002, 0.003)
        self._threads[executor] = done_s

        def job() -> None:
            try:
                answer = func(*args)
            except Exception as error:  # noqa: BLE001
                fault = error
                self.world.after(chance.uniform(0, 0.0005), lambda: self._answer(future, None, fault))
            else:
                self.world.after(chance.uniform(0, 0.0005), lambda: self._answer(future, answer, None))

        self.world.at(done_s, lambda: self.process.work(job) if self.process.alive else None)
        return future

    def _answer(self, future: "asyncio.Future[Any]", answer: object, fault: Exception | None) -> None:
        if not self.process.alive or future.done():
            return
        with self.process.inside():
            if fault is not None:
                future.set_exception(fault)
            else:
                future.set_result(answer)

    async def create_connection(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:  # type: ignore[override]
        """To the local broker; there is no other."""
        assert self.connect is not None
        await asyncio.sleep(self.world.chance.uniform(0.0002, 0.002))
        protocol = protocol_factory()
        return self.connect(protocol), protocol

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.process.alive:
            self.world.errors.append(f"{self.process.name}: {context.get('message')} {context.get('exception')!r}")
