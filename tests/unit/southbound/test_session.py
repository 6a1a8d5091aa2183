"""The session on the local broker: is it the one that was, and what must be on disk before the next step is taken."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from edge_agent.southbound import Publish, Southbound
from edge_agent.southbound.packets import publish

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PING = 0x10, 0x30, 0x40, 0x80, 0xC0
WAITING = publish("d/1", b"21.5", 1, packet_id=7, dup=True)


@dataclass
class Broker:
    """Has a session or not, and it has its subscription or not. ``waiting`` is delivered when the agent has connected."""

    has_session: bool
    is_subscribed: bool
    waiting: bytes = b""
    packets: list[int] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(2):
            body = await reader.readexactly(head[1])
            kind = head[0] & 0xF0
            self.packets.append(kind)
            if kind == CONNECT:
                writer.write(b"\x20\x02" + bytes([self.has_session, 0]) + self.waiting)
                self.has_session = True
            elif kind == SUBSCRIBE:
                writer.write(b"\x90\x03" + body[:2] + b"\x01")
            elif kind == PUBLISH and self.is_subscribed:
                writer.write(head + body)
            elif kind == PING:
                writer.write(b"\xd0\x00")


class Agent:
    """What the session tells its program. ``begin`` ends when ``on_disk`` is set."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.on_disk = asyncio.Event()
        self.delivered: list[Publish] = []

    async def begin(self) -> None:
        self.began.set()
        await self.on_disk.wait()


async def run(broker: Broker, agent: Agent, check: Callable[[Southbound], Awaitable[None]]) -> None:
    """Run the agent's session against that broker until it is connected and the check is done."""
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    southbound = Southbound("127.0.0.1", port, "gw-1", agent.delivered.extend, agent.begin, random.Random(1))
    running = asyncio.create_task(southbound.run())
    try:
        async with asyncio.timeout(10):
            await check(southbound)
            while not southbound.connected:
                await asyncio.sleep(0.001)
    finally:
        running.cancel()
        server.close()


@pytest.mark.parametrize("has_session", [False, True], ids=["new", "made by a CONNECT whose agent was killed"])
def test_a_new_session_is_on_disk_before_it_has_its_subscription(has_session: bool) -> None:
    """Else a message of the new session, delivered again after a crash, is taken for one of the old that is there."""

    async def main() -> None:
        broker, agent = Broker(has_session, is_subscribed=False), Agent()
        before = [CONNECT, PUBLISH, PING] if has_session else [CONNECT]

        async def check(southbound: Southbound) -> None:
            await agent.began.wait()
            await asyncio.sleep(0.05)  # nothing is waited for: a SUBSCRIBE would be here by now
            assert broker.packets == before
            agent.on_disk.set()

        await run(broker, agent, check)
        assert broker.packets == [*before, SUBSCRIBE]
        assert agent.delivered == []

    asyncio.run(main())


def test_a_session_that_has_its_subscription_goes_on() -> None:
    """And is not subscribed again: every SUBSCRIBE brings every retained message once more."""

    async def main() -> None:
        broker, agent = Broker(has_session=True, is_subscribed=True), Agent()

        async def check(southbound: Southbound) -> None:
            pass

        await run(broker, agent, check)
        assert not agent.began.is_set() and SUBSCRIBE not in broker.packets
        assert agent.delivered == [], "what the agent says to itself is nobody else's"

    asyncio.run(main())


def test_what_is_delivered_at_once_proves_the_subscription_and_is_acknowledged() -> None:
    """A broker that answers with the rest of its queue, and stops there until some of it is acknowledged."""

    async def main() -> None:
        broker, agent = Broker(has_session=True, is_subscribed=False, waiting=WAITING), Agent()

        async def check(southbound: Southbound) -> None:
            while not agent.delivered:
                await asyncio.sleep(0.001)
            southbound.ack([7])

        await run(broker, agent, check)
        while PUBACK not in broker.packets:
            await asyncio.sleep(0.001)
        assert not agent.began.is_set() and SUBSCRIBE not in broker.packets

    asyncio.run(main())
