"""What has come from gateways and waits for its commit: a line for each, served in turn, so that a flood harms only itself."""

import asyncio
from collections import deque
from typing import NamedTuple

MESSAGES_MAX = 20_000
BYTES_MAX = 134_217_728
LINE_MESSAGES_MAX = 256
"""Of one gateway. Its window is smaller: what more comes is a fault, and is sent again when it is not acknowledged."""
LINE_BYTES_MAX = 16_777_216


class Arrival(NamedTuple):
    """A message of a gateway as the broker gave it, and when, ms UTC."""

    gateway: str
    topic: str
    payload: bytes
    at_ms: int


class FairQueue:
    """Bounded for each gateway and as a whole. When the whole is full, the longest line loses its newest message.

    refused         messages that were not taken because their gateway's line was full
    refused_full    messages that were given up because all lines together were
    """

    def __init__(self, messages_max: int = MESSAGES_MAX, line_messages_max: int = LINE_MESSAGES_MAX) -> None:
        self.messages = 0
        self.bytes = 0
        self.refused = 0
        self.refused_full = 0
        self._messages_max = messages_max
        self._line_messages_max = line_messages_max
        self._lines: dict[str, deque[Arrival]] = {}  # the first one is served next
        self._line_bytes: dict[str, int] = {}
        self._some = asyncio.Event()

    def put(self, arrival: Arrival) -> bool:
        """Wait for the commit. False: this gateway's line is full, and the message was not taken."""
        gateway, size = arrival.gateway, len(arrival.payload)
        line = self._lines.get(gateway, ())
        if len(line) >= self._line_messages_max or self._line_bytes.get(gateway, 0) + size > LINE_BYTES_MAX:
            self.refused += 1
            return False
        self._lines.setdefault(gateway, deque()).append(arrival)
        self._count(arrival, 1)
        if self.messages > self._messages_max or self.bytes > BYTES_MAX:
            longest = max(self._lines, key=lambda each: len(self._lines[each]))
            self._count(self._lines[longest].pop(), -1)
            self.refused_full += 1
            if not self._lines[longest]:
                del self._lines[longest]
        self._some.set()
        return True

    async def take(self, messages_max: int, bytes_max: int) -> list[Arrival]:
        """Wait for something; then one of each gateway in turn, each gateway's in order, until it is enough."""
        while not self._lines:
            self._some.clear()
            await self._some.wait()
        taken: list[Arrival] = []
        size = 0
        while self._lines and len(taken) < messages_max and size < bytes_max:
            gateway = next(iter(self._lines))
            line = self._lines.pop(gateway)
            arrival = line.popleft()
            if line:
                self._lines[gateway] = line
            self._count(arrival, -1)
            taken.append(arrival)
            size += len(arrival.payload)
        return taken

    def _count(self, arrival: Arrival, by: int) -> None:
        size = by * len(arrival.payload)
        self.messages += by
        self.bytes += size
        self._line_bytes[arrival.gateway] = self._line_bytes.get(arrival.gateway, 0) + size
        if not self._line_bytes[arrival.gateway]:
            del self._line_bytes[arrival.gateway]
