"""One attempt at a time from an address: who tries many at once waits for himself, and nobody else for him."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cloud_api.people.passwords import Busy

WAITING_MAX = 50
"""Of one address; a further one is sent away."""
REFUSED_S = 0.05
"""So long a refused attempt keeps its lane: a thousand guesses leave the program most of its time."""


class Lanes:
    """A lane an address, while somebody is in it or waits for it."""

    def __init__(self) -> None:
        self._lanes: dict[str, asyncio.Lock] = {}
        self._there: dict[str, int] = {}

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Alone from this address. Raises Busy."""
        if self._there.get(address, 0) > WAITING_MAX:
            raise Busy("too many attempts wait")
        self._there[address] = self._there.get(address, 0) + 1
        try:
            async with self._lanes.setdefault(address, asyncio.Lock()):
                yield
        finally:
            self._there[address] -= 1
            if not self._there[address]:
                del self._there[address], self._lanes[address]
