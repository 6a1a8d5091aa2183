"""The cloud's broker and the links to it, message by message, behind the part of aiomqtt.Client that the programs use.

A link delays, can be cut with or without the two ends noticing, and can be silent in one direction. Between two
clients the broker loses, doubles and reorders frames and acknowledgements (what QoS 1 and clean sessions allow in the
end), and flips bits in frames. It can be killed, with its retained messages or without.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiomqtt

from contracts import topics
from tests.simulation.process import SimLoop
from tests.simulation.world import World

TIMEOUT_S = 5.0


@dataclass
class Weather:
    """How likely each mishap of a frame, an acknowledgement or a greeting on its way through the broker is."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    flipped: float = 0.0


class Client:
    """One MQTT session. Stands in for aiomqtt.Client; raises aiomqtt.MqttError as it does."""

    def __init__(self, broker: "CloudBroker", hostname: str, port: int, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        self.identifier: str = options["identifier"]
        self.will: aiomqtt.Will = options["will"]
        self.keepalive_s: float = options["keepalive"]
        self.pending_calls_threshold = 0
        self.process = loop.process
        self.filters: list[str] = []
        self.connected = False
        self.up_silent = self.down_silent = False
        self._timeout_s: float = options.get("timeout", TIMEOUT_S)
        self._broker = broker
        self._world = broker.world
        self._there_s = self._back_s = 0.0
        self._number = 0
        self._confirmed: dict[int, asyncio.Event] = {}
        self._arrived: asyncio.Queue[aiomqtt.Message | None] = asyncio.Queue()
        self.messages = self._messages()

    # --- what the programs call ---

    async def __aenter__(self) -> "Client":
        await asyncio.sleep(self._world.chance.uniform(0.0005, 0.01))
        if not self._broker.connect(self):
            raise aiomqtt.MqttError("[Errno 111] Connection refused")
        self.connected = True
        self.process.on_death.append(self._died)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.process.alive and self.connected:
            self.connected = False
            self.to_broker(lambda: self._broker.gone(self, clean=True))

    async def subscribe(self, topic: Any, qos: int = 0) -> None:
        filters = [name for name, _ in topic] if isinstance(topic, list) else [topic]
        await self._confirmed_by(lambda number: self._broker.subscribe(self, number, filters), self._timeout_s)

    async def publish(
        self, topic: str, payload: bytes, qos: int = 0, retain: bool = False, timeout: float | None = None
    ) -> None:
        await self._confirmed_by(
            lambda number: self._broker.publish(self, number, topic, bytes(payload), retain),
            self._timeout_s if timeout is None else timeout,
        )

    async def _messages(self) -> AsyncIterator[aiomqtt.Message]:
        while (message := await self._arrived.get()) is not None:
            yield message
        raise aiomqtt.MqttError("Disconnected during message iteration")

    async def _confirmed_by(self, ask: Callable[[int], None], timeout_s: float) -> None:
        if not self.connected:
            raise aiomqtt.MqttError("The client is not currently connected")
        self._number += 1
        number, confirmed = self._number, asyncio.Event()
        self._confirmed[number] = confirmed
        self.to_broker(lambda: ask(number))
        try:
            async with asyncio.timeout(timeout_s):
                await confirmed.wait()
        except TimeoutError:
            raise aiomqtt.MqttError("Operation timed out") from None
        finally:
            self._confirmed.pop(number, None)

    # --- the link ---

    def to_broker(self, arrive: Callable[[], None]) -> None:
        """In order, after a while; what is on its way when the link is cut does not arrive."""
        if not self.process.alive:
            return
        self._there_s = max(self._there_s, self._world.now_s + self._world.chance.uniform(0.0002, 0.01))
        self._world.at(self._there_s, lambda: arrive() if self._broker.knows(self) and not self.up_silent else None)

    def confirm(self, number: int) -> None:
        """PUBACK or SUBACK."""
        self._back(lambda: event.set() if (event := self._confirmed.get(number)) is not None else None)

    def deliver(self, topic: str, payload: bytes, retain: bool, late_s: float = 0.0) -> None:
        """A message from the broker. late_s: overtaken by others."""
        self._back(lambda: self._arrived.put_nowait(aiomqtt.Message(topic, payload, 1, retain, 0, None)), late_s)

    def _back(self, arrive: Callable[[], None], late_s: float = 0.0) -> None:
        self._back_s = max(self._back_s, self._world.now_s + self._world.chance.uniform(0.0002, 0.01))

        def there() -> None:
            if self.connected and self.process.alive and not self.down_silent:
                self.process.loop.call_soon(arrive)

        self._world.at(self._back_s + late_s, there)

    def lost(self) -> None:
        """This end notices that the link is gone."""
        if self.connected and self.process.alive:
            self.connected = False
            self.process.loop.call_soon(self._arrived.put_nowait, None)

    def _died(self) -> None:
        # A killed program's socket is closed by its machine; a machine without power says nothing.
        self.connected = False
        if not self.process.powerless:
            self._world.after(self._world.chance.uniform(0.0002, 0.01), lambda: self._broker.gone(self, clean=False))
        else:
            self._world.after(1.5 * self.keepalive_s, lambda: self._broker.gone(self, clean=False))

    def cut(self) -> None:
        """Both ends notice, each in its time."""
        for end in (self.lost, lambda: self._broker.gone(self, clean=False)):
            self._world.after(self._world.chance.uniform(0, 0.05), end)
        self.up_silent = self.down_silent = True

    def silence(self, up: bool, down: bool) -> None:
        """Half-open: nothing passes any more, and nobody is told; keepalives find it."""
        self.up_silent, self.down_silent = up, down
        if up:
            self._world.after(1.5 * self.keepalive_s, lambda: self._broker.gone(self, clean=False))
        self._world.after(self._world.chance.uniform(1, 2) * self.keepalive_s, self.lost)


class CloudBroker:
    """Routes by topic, keeps retained messages, publishes wills."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.up = True
        self.weather = Weather()
        self.mishaps: Counter[str] = Counter()
        self.retained: dict[str, bytes] = {}
        self.clients: dict[str, Client] = {}

    def client(self, hostname: str, port: int, **options: Any) -> Client:
        """What the programs are given instead of aiomqtt.Client."""
        return Client(self, hostname, port, **options)

    def connect(self, client: Client) -> bool:
        """CONNECT; a session of the same name is taken over. False: there is no broker."""
        if not self.up:
            return False
        if (before := self.clients.get(client.identifier)) is not None:
            before.lost()
            self.gone(before, clean=False)
        self.clients[client.identifier] = client
        self.world.note(f"{client.process.name} connected")
        return True

    def knows(self, client: Client) -> bool:
        """Is it a session here?"""
        return self.up and self.clients.get(client.identifier) is client

    def gone(self, client: Client, clean: bool) -> None:
        """A session has ended; its will is published unless it said goodbye."""
        if self.knows(client):
            del self.clients[client.identifier]
            client.lost()
            if not clean:
                payload = client.will.payload
                assert isinstance(payload, bytes)
                self.world.note(f"will of {client.process.name}")
                self._route(client.will.topic, payload, client.will.retain)

    def subscribe(self, client: Client, number: int, filters: list[str]) -> None:
        """SUBSCRIBE; retained messages follow."""
        client.filters += filters
        client.confirm(number)
        for topic, payload in self.retained.items():
            if any(_matches(each, topic) for each in filters):
                client.deliver(topic, payload, retain=True)

    def publish(self, client: Client, number: int, topic: str, payload: bytes, retain: bool) -> None:
        """PUBLISH with QoS 1."""
        client.confirm(number)
        self._route(topic, payload, retain)

    def _route(self, topic: str, payload: bytes, retain: bool) -> None:
        if retain:
            self.retained[topic] = payload
        self.world.note(f"{topic} {zlib.crc32(payload):08x}")
        for client in list(self.clients.values()):
            if any(_matches(each, topic) for each in client.filters):
                if topic != topics.INGEST:
                    self._through_weather(client, topic, payload)
                else:
                    client.deliver(topic, payload, retain=False)

    def _through_weather(self, client: Client, topic: str, payload: bytes) -> None:
        chance, weather = self.world.chance, self.weather
        kind = "frame" if "/up/" in topic else topic.rpartition("/")[2]
        if chance.random() < weather.lost:
            self._mishap(kind, "lost")
            return
        if kind == "frame" and chance.random() < weather.flipped:
            self._mishap(kind, "flipped")
            altered = bytearray(payload)
            altered[chance.randrange(len(altered))] ^= 1 << chance.randrange(8)
            payload = bytes(altered)
        late_s = 0.0
        if chance.random() < weather.late:
            self._mishap(kind, "overtaken")
            late_s = chance.uniform(0, 1.5)
        client.deliver(topic, payload, retain=False, late_s=late_s)
        if chance.random() < weather.doubled:
            self._mishap(kind, "doubled")
            client.deliver(topic, payload, retain=False, late_s=chance.uniform(0, 1.5))

    def _mishap(self, kind: str, what: str) -> None:
        self.mishaps[f"{kind} {what}"] += 1
        self.world.note(f"{kind} {what}")

    def kill(self, with_disk: bool) -> None:
        """kill -9; every link is gone, and the wills with it. with_disk: retained messages are lost too."""
        self.up = False
        for client in list(self.clients.values()):
            self.world.after(self.world.chance.uniform(0, 0.02), client.lost)
        self.clients.clear()
        if with_disk:
            self.retained.clear()

    def start(self) -> None:
        """It is there again."""
        self.up = True


def _matches(pattern: str, topic: str) -> bool:
    wanted, found = pattern.split("/"), topic.split("/")
    return len(wanted) == len(found) and all(one in ("+", other) for one, other in zip(wanted, found, strict=True))
