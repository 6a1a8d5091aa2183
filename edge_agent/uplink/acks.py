"""What the cloud has acknowledged, on its way to the outbox: the words of a tenth of a second are written together.

Each write waits for the disk. What is lost in a crash does no harm: those frames go again, and are acknowledged again.
"""

import asyncio
from collections.abc import Iterable

from edge_agent.outbox.writer import OutboxWriter

PAUSE_S = 0.1

Ranges = list[tuple[int, int]]


class AckNotes:
    """``note`` takes an acknowledgement, ``run`` writes."""

    def __init__(self, writer: OutboxWriter) -> None:
        self._writer = writer
        self._noted: dict[tuple[str, str], Ranges] = {}  # (epoch, lane) -> seqs
        self._some = asyncio.Event()
        self._writing = asyncio.Lock()

    def note(self, epoch: str, lane: str, ranges: Iterable[tuple[int, int]]) -> None:
        """The cloud holds these seqs."""
        self._noted[epoch, lane] = merged([*self._noted.get((epoch, lane), ()), *ranges])
        self._some.set()

    async def run(self) -> None:
        """Write until cancelled, then once more."""
        try:
            while True:
                await self._some.wait()
                await asyncio.sleep(PAUSE_S)
                await self.write()
        finally:
            await self.write()

    async def write(self) -> None:
        """Write what is noted. When this returns, everything noted before is in the outbox."""
        async with self._writing:
            self._some.clear()
            noted, self._noted = self._noted, {}
            for (epoch, lane), ranges in noted.items():
                await self._writer.acked(lane, ranges, epoch)


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The same seqs in ascending ranges that neither overlap nor touch."""
    whole: Ranges = []
    for first, last in sorted(ranges):
        if whole and first <= whole[-1][1] + 1:
            whole[-1] = (whole[-1][0], max(last, whole[-1][1]))
        else:
            whole.append((first, last))
    return whole
