"""Plays a world over MQTT: devices publish their makers' payloads at their gateway's broker and obey their orders.

Virtual time runs ``speed`` times as fast as the wall clock; times inside payloads are the wall clock's. Each broker
has one connection for all its devices and a bounded outgoing queue that keeps the latest: devices do not remember.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

import aiomqtt

from simulators.vendors import VENDORS, Message, Order, Stamp
from simulators.world import DeviceSpec, Event, World

log = logging.getLogger(__name__)

WAITING_MAX = 5_000
"""Messages that wait for one broker; past it the oldest are given up."""
RETRY_S_MAX = 5.0
PERIOD_GAP_MS = 10_000
"""In a world that runs faster than the clock, a device's periodic words are thinned to one in this time; its changes
and answers never are. So the messages a second stay those of a real community, whatever the speed."""
NAP_S_MAX = 0.5

Obey = Callable[[DeviceSpec, Order], None]


class Address(NamedTuple):
    """Where a gateway's local broker listens."""

    host: str
    port: int


class Site:
    """One gateway's broker and the devices that publish there."""

    def __init__(self, gateway: str, address: Address, specs: Sequence[DeviceSpec], random: Random) -> None:
        self.gateway = gateway
        self.connected = False
        self.given_up = 0
        self._address = address
        self._random = random
        self._waiting: deque[Message] = deque()
        self._filled = asyncio.Event()
        self._ordered = {topic: spec for spec in specs for topic in VENDORS[spec.model].command_topics(spec.id)}

    def send(self, message: Message) -> None:
        """Publish as soon as the broker takes it; the oldest that waits gives way."""
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self.given_up += 1
        self._waiting.append(message)
        self._filled.set()

    async def run(self, present: Callable[[str], list[Message]], obey: Obey, changed: Callable[[], None]) -> None:
        """Stay connected until cancelled; at each connection say first how things are. ``changed``: look at connected."""
        tries = 0
        while True:
            try:
                # In a task of its own: only then does this task's cancelling() tell a wish to end from the errors of a
                # group of tasks, which cancel their parent too.
                await asyncio.create_task(self._hold_session(present, obey, changed))
            except* (aiomqtt.MqttError, OSError) as group:
                log.warning("broker of %s is not there: %s", self.gateway, _first(group))
            tries = 1 if self.connected else min(tries + 1, 6)
            self.connected = False
            changed()
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError  # an error on the way out has taken its place
            await asyncio.sleep(self._random.uniform(0, min(RETRY_S_MAX, 0.1 * 2**tries)))  # full jitter

    async def _hold_session(
        self, present: Callable[[str], list[Message]], obey: Obey, changed: Callable[[], None]
    ) -> None:
        async with aiomqtt.Client(
            self._address.host,
            self._address.port,
            identifier=f"devices-of-{self.gateway}",
            timeout=10,
            max_queued_incoming_messages=1_000,
        ) as client:
            if self._ordered:
                await client.subscribe([(topic, 1) for topic in self._ordered])
            self._waiting.clear()
            for message in present(self.gateway):
                self.send(message)
            self.connected = True
            changed()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._publish(client), name=f"publish {self.gateway}")
                tasks.create_task(self._listen(client, obey), name=f"listen {self.gateway}")

    async def _publish(self, client: aiomqtt.Client) -> None:
        while True:
            while self._waiting:
                message = self._waiting[0]
                await client.publish(message.topic, message.payload, qos=1, retain=message.retain)
                if self._waiting and self._waiting[0] is message:
                    self._waiting.popleft()
            self._filled.clear()
            await self._filled.wait()

    async def _listen(self, client: aiomqtt.Client, obey: Obey) -> None:
        async for message in client.messages:
            topic = message.topic.value
            spec = self._ordered.get(topic)
            if spec is None or not isinstance(message.payload, bytes):
                continue
            order = VENDORS[spec.model].order(topic, message.payload)
            if order is None:
                log.warning("%s does not understand its order on %s", spec.id, topic)
            else:
                obey(spec, order)
        raise aiomqtt.MqttError("the connection ended")


def _first(group: BaseExceptionGroup) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


class Driver:
    """Moves the world along with the wall clock and carries words out and orders in."""

    def __init__(
        self,
        world: World,
        plan: Sequence[DeviceSpec],
        brokers: Mapping[str, Address],
        speed: float,
        random: Random,
        monotonic_s: Callable[[], float],
        wall_ms: Callable[[], int],
    ) -> None:
        """``brokers`` names the gateways that take part; devices of others stay silent. ``speed`` > 0."""
        self._world = world
        self._specs = {spec.id: spec for spec in plan if spec.gateway in brokers}
        self._sites = {
            gateway: Site(gateway, address, [s for s in self._specs.values() if s.gateway == gateway], random)
            for gateway, address in brokers.items()
        }
        self._speed = speed
        self._monotonic_s = monotonic_s
        self._wall_ms = wall_ms
        self._begin_ms = world.now_ms
        self._began_s = monotonic_s()
        self._spoke_ms: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._ordered = asyncio.Event()

    async def run(self, all_connected: Callable[[], None]) -> None:
        """Play until cancelled. ``all_connected`` is called once, when every broker has been reached."""
        told = False

        def changed() -> None:
            nonlocal told
            if not told and all(site.connected for site in self._sites.values()):
                told = True
                all_connected()

        async with asyncio.TaskGroup() as tasks:
            for site in self._sites.values():
                tasks.create_task(site.run(self._present, self._obey, changed), name=f"site {site.gateway}")
            tasks.create_task(self._play(), name="play")

    def _virtual_ms(self) -> int:
        return self._begin_ms + int((self._monotonic_s() - self._began_s) * 1000 * self._speed)

    async def _play(self) -> None:
        while True:
            for count, event in enumerate(self._world.run_until(self._virtual_ms())):
                self._carry(event)
                if count % 200 == 199:
                    await asyncio.sleep(0)
            next_ms = self._world.next_ms()
            nap_s = NAP_S_MAX
            if next_ms is not None:
                nap_s = max(0.005, min(nap_s, (next_ms - self._virtual_ms()) / 1000 / self._speed))
            self._ordered.clear()
            try:
                async with asyncio.timeout(nap_s):
                    await self._ordered.wait()
            except TimeoutError:
                pass

    def _carry(self, event: Event) -> None:
        spec = self._specs.get(event.device)
        if spec is None or not event.says:
            return
        now_ms = self._wall_ms()
        if event.cause == "period" and self._speed > 1:
            if now_ms - self._spoke_ms.get(spec.id, 0) < PERIOD_GAP_MS:
                return
            self._spoke_ms[spec.id] = now_ms
        site = self._sites[spec.gateway]
        for message in self._messages(spec, event):
            site.send(message)

    def _messages(self, spec: DeviceSpec, event: Event) -> list[Message]:
        number = self._numbers[spec.id] = self._numbers.get(spec.id, 0) + 1
        return VENDORS[spec.model].encode(spec, event.says, Stamp(self._wall_ms(), number))

    def _present(self, gateway: str) -> list[Message]:
        messages = []
        for event in self._world.present():
            spec = self._specs.get(event.device)
            if spec is not None and spec.gateway == gateway and event.says:
                messages += self._messages(spec, event)
        return messages

    def _obey(self, spec: DeviceSpec, order: Order) -> None:
        obeyed = self._world.command(spec.id, order.verb, order.args)
        log.info("%s %s %s", spec.id, "obeys" if obeyed else "refuses", order.verb)
        self._ordered.set()
