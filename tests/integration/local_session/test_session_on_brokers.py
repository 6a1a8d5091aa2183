"""Does a session that is there have our subscription? Both kinds of local broker answer that at once and truly."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.southbound import Publish, Southbound, packets
from tests.brokers import Kind, running_broker
from tests.devices import ForeignClient

GATEWAY = "gw-session"
KINDS: tuple[Kind, ...] = "nats-gateway", "mosquitto-gateway"
BACKLOG = {"nats-gateway": 4_200, "mosquitto-gateway": 1_100}
"""More than the broker has in flight to the agent at once."""


class Agent:
    """Takes what comes and acknowledges nothing."""

    def __init__(self, port: int) -> None:
        self.begun = 0
        self.took: list[Publish] = []
        self.southbound = Southbound("127.0.0.1", port, GATEWAY, self.took.extend, self.begin, random.Random(1))

    async def begin(self) -> None:
        self.begun += 1

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """One connection."""
        running = asyncio.create_task(self.southbound.run())
        try:
            async with asyncio.timeout(10):
                while not self.southbound.connected:
                    await asyncio.sleep(0.001)
                yield
        finally:
            running.cancel()
            await asyncio.wait([running])


def connect_and_die(port: int) -> None:
    """What an agent leaves at the broker that is killed before it can read the answer to its CONNECT."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(packets.connect(GATEWAY, 20))
        assert link.recv(4)[:2] == b"\x20\x02", "the session is there now"


@pytest.mark.parametrize("kind", KINDS)
def test_the_session_of_before_goes_on_and_one_without_its_subscription_does_not(tmp_path: Path, kind: Kind) -> None:
    async def main(port: int, client: ForeignClient) -> None:
        connect_and_die(port)
        first = Agent(port)
        async with first.connected():
            assert first.begun == 1, "the session that is there says nothing of the one before"
            for number in range(BACKLOG[kind]):
                client.send("d/1", b"%d" % number, mark=number)
            while len(client.acked) < BACKLOG[kind] or not first.took:
                await asyncio.sleep(0.005)
        # The session has a backlog now, and as much in flight as it may have: none of this is acknowledged.
        connect_and_die(port)
        again = Agent(port)
        async with again.connected():
            assert again.begun == 0
        assert {each.topic for each in again.took} <= {"d/1"}, "what it says to itself is nobody else's"

    with running_broker(kind, tmp_path) as broker, ForeignClient(broker.port, "device") as client:
        asyncio.run(main(broker.port, client))
