"""A program in virtual time: its asyncio code runs a step at a time and can be killed between any two of them.

Work that the code gives to a thread is carried out in one piece at a random time, in the thread's order. asyncio's own
event loop is replaced by as much of one as the programs need.
"""

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from tests.simulation.world import World

Work = Callable[[Exception | None], None]
"""A piece of work in a thread; with an error it fails with that, and is not done."""


class Killed(BaseException):
    """Ends the step in which a program dies."""


class Process:
    """One program. ``kill`` is kill -9: no step of its code runs any more, none of its output leaves it any more."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.powerless = False
        """Its machine has no power: not even its sockets are closed."""
        self.on_death: list[Callable[[], None]] = []
        self.at_work: Callable[[Work], None] | None = None
        """Called instead of each piece of work in a thread."""
        self.loop = SimLoop(world, self)
        self._steps_left = -1
        self._last_word: Callable[[], None] = lambda: None

    def start(self, main: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run this; an error in it that nobody asked for is a failure of the run."""
        task = self.loop.create_task(main, name=self.name)

        def ended(task: "asyncio.Task[None]") -> None:
            if self.alive and not task.cancelled() and (error := task.exception()) is not None:
                self.world.errors.append(f"{self.name} ended with {_causes(error)}")

        task.add_done_callback(ended)
        return task

    def run(self, handle: asyncio.Handle) -> None:
        """One step of its code, unless it is to die before that."""
        if self._steps_left >= 0:
            self._steps_left -= 1
            if self._steps_left < 0:
                self._last_word()
                return
        asyncio._set_running_loop(self.loop)
        try:
            handle._run()
        finally:
            asyncio._set_running_loop(None)

    @contextlib.contextmanager
    def inside(self) -> Any:
        """Its event loop is the running one."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self.loop)
        try:
            yield
        finally:
            asyncio._set_running_loop(before)

    def work(self, job: Work) -> None:
        """A piece of work in one of its threads."""
        if self.at_work is not None:
            self.at_work(job)
        else:
            job(None)

    def die_at_step(self, steps: int, die: Callable[[], None]) -> None:
        """Call ``die`` instead of the n-th next step of its code."""
        self._steps_left, self._last_word = steps, die

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


def _causes(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(map(_causes, error.exceptions))
    steps = [f"{Path(step.filename).name}:{step.lineno}" for step in traceback.extract_tb(error.__traceback__)]
    return f"{error!r} at {' > '.join(steps)}"


class SimTask(asyncio.Task[Any]):
    """Groups of tasks are sets: they are gone through in the order of their members' hashes, so those are numbered."""

    def __init__(self, number: int, coro: Any, **options: Any) -> None:
        self._sim_number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._sim_number


class SimLoop(asyncio.AbstractEventLoop):
    """As much of an event loop as the programs' code needs."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self.process = process
        self.tasks: list[asyncio.Task[Any]] = []
        self.connect: Callable[[asyncio.BaseProtocol], asyncio.Transport] | None = None
        self._threads: dict[Executor | None, float] = {}
        self._tasks_kept = 64
        self._tasks_made = 0

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
        self._tasks_made += 1
        task = SimTask(self._tasks_made, coro, loop=self, name=name, context=context)
        self.tasks.append(task)
        if len(self.tasks) > self._tasks_kept:
            self.tasks = [each for each in self.tasks if not each.done()]
            self._tasks_kept = 2 * len(self.tasks) + 64
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """In the thread's own order, in one piece, after a random while; the answer comes a little later."""
        if executor is not None and executor._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = self.create_future()
        chance = self.world.chance
        done_s = max(self.world.now_s, self._threads.get(executor, 0.0)) + chance.uniform(0.0002, 0.003)
        self._threads[executor] = done_s

        def job(fault: Exception | None) -> None:
            answer = None
            if fault is None:
                try:
                    answer = func(*args)
                except Killed:
                    return
                except Exception as error:  # noqa: BLE001
                    fault = error
            self.world.after(chance.uniform(0, 0.0005), lambda: self._answer(future, answer, fault))

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
