"""The audit while the program runs: entries are written in company, checkpoints made now and then."""

import asyncio
import logging
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud_api.audit.checkpoints import Checkpoint, checkpoint_line, signed_checkpoint
from cloud_api.audit.entries import Draft, Entry
from cloud_api.audit.store import AuditStore
from device_registry import DatabaseUnavailable

log = logging.getLogger(__name__)

WAITING_MAX = 10_000
LOOK_S = 10.0
CHECKPOINT_ENTRIES = 1_000
CHECKPOINT_MS = 3_600_000
"""So many entries after the last checkpoint, or so long after it if there is any, the next one is made."""


class AuditLog:
    """One of the program. ``append`` returns when the entry is on disk; those who wait at once share one commit."""

    def __init__(self, store: AuditStore, clock: Callable[[], int], key: Ed25519PrivateKey) -> None:
        self.store = store
        self._clock = clock
        self._key = key
        self._waiting: list[tuple[Draft, asyncio.Future[Entry]]] = []
        self._writing = asyncio.Lock()

    async def append(self, draft: Draft) -> Entry:
        """Write it down. Raises DatabaseUnavailable: then it is not known whether it is."""
        if len(self._waiting) >= WAITING_MAX:
            raise DatabaseUnavailable("too many entries wait to be written down")
        done: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, done))
        async with self._writing:
            if not done.done():  # else who was before us has written ours too
                await self._write()
        return await done

    async def _write(self) -> None:
        together, self._waiting = self._waiting, []
        try:
            entries = await self.store.append([draft for draft, _ in together])
        except BaseException as error:
            told = error if isinstance(error, Exception) else DatabaseUnavailable("the writer was cancelled")
            for _, done in together:
                if not done.done():
                    done.set_exception(told)
                    done.exception()  # who was cancelled meanwhile asks no more
            if not isinstance(error, Exception):
                raise
            return
        for (_, done), entry in zip(together, entries, strict=True):
            if not done.done():
                done.set_result(entry)

    async def checkpoint(self) -> Checkpoint:
        """A new one over the last entry; it is kept, and logged, so that it also leaves this machine with the logs."""
        head = await self.store.head()
        made = signed_checkpoint(head.seq, head.hash, self._clock(), self._key)
        if head.seq:
            await self.store.add_checkpoint(made)
            log.info("audit checkpoint", extra={"checkpoint": checkpoint_line(made).decode()})
        return made

    async def forget(self, before_ms: int, limit: int) -> int:
        """Remove entries that are older, about as many as are between two checkpoints; that too is written down."""
        count = await self.store.forget(before_ms)
        if count:
            details = {"entries": count, "before_ms": before_ms}
            await self.append(Draft(self._clock(), "retention", "audit_removed", "audit", "", "done", details))
        return count

    async def keep_checkpoints(self) -> None:
        """Make them when they are due, until cancelled."""
        while True:
            try:
                if await self._is_due():
                    await self.checkpoint()
            except DatabaseUnavailable as error:
                log.error("no audit checkpoint can be made", extra={"error": str(error)})
            await asyncio.sleep(LOOK_S)

    async def _is_due(self) -> bool:
        head = await self.store.head()
        last = await self.store.checkpoints(None, 1)
        seq, at_ms = (last[0].checkpoint, last[0].at_ms) if last else (0, 0)
        new = head.seq - seq
        return new >= CHECKPOINT_ENTRIES or (new > 0 and self._clock() - at_ms >= CHECKPOINT_MS)
