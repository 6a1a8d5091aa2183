"""The one thread that owns the outbox file, and the loop that commits whatever is pending, batch after batch."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar, TypeVarTuple, Unpack

from edge_agent.outbox.batch import Batch
from edge_agent.outbox.file import is_damage
from edge_agent.outbox.framing import CommittedFrame
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.salvage import renew, reopen

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")

RETRY_S = 0.5
"""After an I/O error: the batch is kept and tried again; nothing of it is acknowledged meanwhile."""


class OutboxWriter:
    """Group commit. ``pending`` is filled by the intake and others; ``wake`` is called when there is something.

    linger_s    how long a batch may wait for company
    messages_max a batch of so many messages waits no longer
    committed   called on the event loop after each commit, with the batch and its frames; also with frames that came
                to be beside one (declared drops), and an empty batch
    renewed     called when the file turned out to be damaged and a new one was begun
    timed       gives a context that measures one commit
    """

    def __init__(
        self,
        outbox: Outbox,
        linger_s: float,
        messages_max: int,
        committed: Callable[[Batch, list[CommittedFrame]], None],
        checkpoint: Callable[[str], None],
        renewed: Callable[[], None],
        timed: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self.outbox = outbox
        self.pending = Batch()
        self.failing = ""
        self._linger_s = linger_s
        self._messages_max = messages_max
        self._committed = committed
        self._checkpoint = checkpoint
        self._renewed = renewed
        self._timed = timed
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._some = asyncio.Event()
        self._many = asyncio.Event()
        self._done: list[asyncio.Future[None]] = []

    async def call(self, function: Callable[[Unpack[Arguments]], Answer], *arguments: *Arguments) -> Answer:
        """Run something on the outbox in its thread.

        Raises sqlite3.Error, for an OSError too; a damaged file has been replaced by then.
        """
        try:
            if not self.outbox.is_open:  # replacing it failed
                await self._in_thread(reopen, self.outbox)
                self._renewed()
            return await self._in_thread(function, *arguments)
        except sqlite3.Error as error:
            if is_damage(error) and self.outbox.is_open:
                try:
                    await self._in_thread(renew, self.outbox)
                except OSError as failed:
                    raise sqlite3.OperationalError(str(failed)) from error
                self._renewed()
            raise
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from error

    async def _in_thread(self, function: Callable[[Unpack[Arguments]], Answer], *arguments: *Arguments) -> Answer:
        def work() -> tuple[Answer, list[CommittedFrame]]:
            return function(*arguments), self.outbox.take_beside()

        answer, beside = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        if beside:
            self._committed(Batch(), beside)
        return answer

    async def insist(self, function: Callable[[Unpack[Arguments]], Answer], *arguments: *Arguments) -> Answer:
        """Run something that may be done twice, again and again while the disk fails."""
        while True:
            try:
                answer = await self.call(function, *arguments)
            except sqlite3.Error as error:
                self.failing = str(error)
                log.error("outbox can't be used", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
            else:
                self.failing = ""
                return answer

    def wake(self, at_once: bool = False) -> None:
        """Something is pending. at_once: do not wait for company."""
        self._some.set()
        if at_once or self.pending.messages >= self._messages_max:
            self._many.set()

    async def flushed(self) -> None:
        """Returns when everything that is pending now is on disk."""
        done = asyncio.get_running_loop().create_future()
        self._done.append(done)
        self.wake(at_once=True)
        await done

    async def run(self) -> None:
        """Commit until cancelled, then once more."""
        try:
            while True:
                await self._some.wait()
                if not self._many.is_set():
                    try:
                        async with asyncio.timeout(self._linger_s):
                            await self._many.wait()
                    except TimeoutError:
                        pass
                await self._commit_pending()
        except asyncio.CancelledError:
            if not self.pending.empty:
                await self._commit_pending(last=True)
            raise
        finally:
            self._thread.shutdown(wait=True)

    async def _commit_pending(self, last: bool = False) -> None:
        self._some.clear()
        self._many.clear()
        batch = self.pending
        self.pending = Batch(number=batch.number + (not batch.empty))
        done, self._done = self._done, []
        said = batch.messages or batch.urgent or batch.bulk or batch.commands  # not only what is noted of a session
        if said:
            self._checkpoint("before_commit")
        while not batch.empty:
            try:
                with self._timed():
                    frames = await self.call(self.outbox.commit, batch)
                break
            except sqlite3.Error as error:
                # Full disk, I/O error: not acknowledged, not lost at the broker, and not a crash loop.
                self.failing = str(error)
                log.error("outbox can't be written", extra={"error": str(error)})
                if last:
                    return
                await asyncio.sleep(RETRY_S)
        else:
            frames = []
        self.failing = ""
        if said:
            self._checkpoint("after_commit")
        self._committed(batch, frames)
        for waiting in done:
            if not waiting.done():
                waiting.set_result(None)

    async def acked(self, lane: str, ranges: Sequence[tuple[int, int]], epoch: str) -> None:
        """Tell the outbox what the cloud holds of this epoch. While the disk fails nothing else comes down."""
        await self.insist(self.outbox.acked, lane, ranges, epoch)
