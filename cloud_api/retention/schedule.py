"""One schedule for everything that is kept for so long and no longer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from prometheus_client import Counter

from device_registry import DatabaseUnavailable

log = logging.getLogger(__name__)

EVERY_S = 3_600.0
BATCH = 500
"""Rows that one transaction removes: nobody waits long for it."""


class Rule(NamedTuple):
    """What is removed, and how old it has to be.

    keep_ms  0: at once when it has ended
    remove   (before_ms, limit) -> how many were removed, at most about so many; it is called again while there are any
    """

    kind: str
    keep_ms: int
    remove: Callable[[int, int], Awaitable[int]]


async def keep(rules: Sequence[Rule], clock: Callable[[], int], removed: Counter, failed: Counter) -> None:
    """Now and every hour until cancelled. What can't be removed now is removed later, and keeps nothing else from it."""
    while True:
        for rule in rules:
            try:
                while count := await rule.remove(clock() - rule.keep_ms, BATCH):
                    removed.labels(rule.kind).inc(count)
                    await asyncio.sleep(0)
            except (DatabaseUnavailable, OSError) as error:
                failed.labels(rule.kind).inc()
                log.warning("what is old is still kept", extra={"kind": rule.kind, "error": str(error)})
        await asyncio.sleep(EVERY_S)
