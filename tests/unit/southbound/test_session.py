"""The session on the local broker: what must be on disk before the next step is taken."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from edge_agent.southbound import Southbound

CONNECT, SUBSCRIBE = 0x10, 0x80


class Steps:
    """What the agent knows on disk of its session. ``begin`` ends when ``on_disk`` is set."""

    def __init__(self, subscribed: bool) -> None:
        self.known = subscribed
        self.began = asyncio.Event()
        self.on_disk = asyncio.Event()
        self.noted = asyncio.Event()

    def is_subscribed(self) -> bool:
        return self.known

    async def asking(self) -> None:
        pass

    async def begin(self) -> None:
        self.known = False
        self.began.set()
        await self.on_disk.wait()

    async def subscribed(self) -> None:
        self.known = True
        self.noted.set()


async def with_broker(steps: Steps, session_present: bool, check: Callable[[list[int]], Awaitable[None]]) -> None:
    """Run the agent's session against a broker that says whether it has a session; check is given the packets it got."""
    packets: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(2):
            body = await reader.readexactly(head[1])
            packets.append(head[0] & 0xF0)
            if head[0] == CONNECT:
                writer.write(b"\x20\x02" + bytes([session_present, 0]))
            elif head[0] & 0xF0 == SUBSCRIBE:
                writer.write(b"\x90\x03" + body[:2] + b"\x01")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    southbound = Southbound("127.0.0.1", port, "gw-1", lambda publishes: None, steps, random.Random(1))
    running = asyncio.create_task(southbound.run())
    try:
        async with asyncio.timeout(10):
            await check(packets)
            while not southbound.connected:
                await asyncio.sleep(0.001)
    finally:
        running.cancel()
        server.close()


def test_a_new_session_is_on_disk_before_it_has_its_subscription() -> None:
    """Else a message of the new session, delivered again after a crash, is taken for one of the old that is there."""

    async def main() -> None:
        steps = Steps(subscribed=True)

        async def check(packets: list[int]) -> None:
            await steps.began.wait()
            await asyncio.sleep(0.05)  # nothing is waited for: a SUBSCRIBE would be here by now
            assert packets == [CONNECT]
            steps.on_disk.set()
            await steps.noted.wait()
            assert packets == [CONNECT, SUBSCRIBE]

        await with_broker(steps, False, check)

    asyncio.run(main())


def test_a_session_whose_agent_was_killed_before_it_subscribed_is_subscribed() -> None:
    async def main() -> None:
        steps = Steps(subscribed=False)

        async def check(packets: list[int]) -> None:
            await steps.noted.wait()
            assert packets == [CONNECT, SUBSCRIBE]
            assert not steps.began.is_set()

        await with_broker(steps, True, check)

    asyncio.run(main())


def test_a_session_that_is_known_to_be_subscribed_is_not_again() -> None:
    """Every SUBSCRIBE brings every retained message once more."""

    async def main() -> None:
        seen: list[list[int]] = []

        async def check(packets: list[int]) -> None:
            seen.append(packets)

        await with_broker(Steps(subscribed=True), True, check)
        assert seen == [[CONNECT]]

    asyncio.run(main())
