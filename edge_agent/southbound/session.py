"""One persistent session on the local broker: reconnects, pauses reading when the intake is full, acks when told."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, cast

from edge_agent.southbound import packets
from edge_agent.southbound.packets import Connack, Parser, Pingresp, ProtocolError, Puback, Publish, Suback

log = logging.getLogger(__name__)

KEEPALIVE_S = 20
CONNECT_TIMEOUT_S = 5.0
BACKOFF_S_MAX = 2.0
READ_BYTES = 65_536
"""Read at once: about 300 messages. A larger wave takes more memory while it waits for its commit, and is no faster."""


class Southbound:
    """The agent's session on the local broker.

    client_id   the gateway's id: the broker keeps the session under it while the agent is away
    deliver     called with every wave of messages, on the event loop; must not block
    begin       awaited when the session turns out to be a new one, before it gets its subscription: nothing of before is
                delivered again, packet ids begin anew. Returns when that is on disk
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_id: str,
        deliver: Callable[[list[Publish]], None],
        begin: Callable[[], Awaitable[None]],
        jitter: random.Random,
        username: str = "",
        password: str = "",
    ) -> None:
        self.host = host
        self.port = port
        self.client_id = client_id
        self.connected = False
        self.failing = ""
        self.sessions = 0
        self._deliver = deliver
        self._begin = begin
        self._own_topic = f"linli-agent/{client_id}/hello"
        self._jitter = jitter
        self._login = (username, password)
        self._link: _Link | None = None
        self._paused = False
        self._packet_id = 0
        self._unacked: dict[int, asyncio.Future[None]] = {}

    async def run(self) -> None:
        """Stay connected until cancelled; full jitter between attempts."""
        attempt = 0
        while True:
            try:
                await self._connect_once()
                attempt = 0
            except (OSError, ProtocolError, TimeoutError) as error:
                attempt += 1
                self.failing = str(error) or type(error).__name__
                log.warning("local broker is not there", extra={"error": str(error), "attempt": attempt})
            await asyncio.sleep(self._jitter.uniform(0.02, min(BACKOFF_S_MAX, 0.1 * 2**attempt)))

    async def _connect_once(self) -> None:
        loop = asyncio.get_running_loop()
        link = _Link(self._on_publishes, self._on_puback)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(lambda: link, self.host, self.port)
                link.write(packets.connect(self.client_id, KEEPALIVE_S, *self._login))
                connack = await link.connack
            if connack.code:
                raise ProtocolError(f"local broker refused the connection with code {connack.code}")
            if not (connack.session_present and await self._is_subscribed(link)):
                await self._begin()
                await self._subscribe(link)
            self._link = link
            self.connected = True
            self.failing = ""
            self.sessions += 1
            if self._paused:
                link.pause()
            log.info("local broker connected", extra={"session_present": connack.session_present})
            await self._keep_alive(link)
        finally:
            self.connected = False
            self._link = None
            link.write(packets.DISCONNECT)
            link.close()

    async def _is_subscribed(self, link: "_Link") -> bool:
        """Whether the session has our subscription, asked of the session itself: what is delivered in it proves it.

        CONNECT makes a session where there is none, and the agent may die, or lose the link, before it knows; no note of
        ours can tell such a one from the one before. So it says something to itself with QoS 0. Both brokers hand that
        over at once, past what waits, and before they answer the PINGREQ behind it (tests/integration/local_session).
        """
        link.own_topic = self._own_topic
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            link.write(packets.publish(self._own_topic, b"") + packets.PINGREQ)
            return await link.is_subscribed

    async def _subscribe(self, link: "_Link") -> None:
        """Once a session: every time would bring every retained message again."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            link.write(packets.subscribe(self._next_packet_id(), ("#",), 1))
            await link.suback

    async def _keep_alive(self, link: "_Link") -> None:
        while not link.closed.done():
            await asyncio.wait([link.closed], timeout=KEEPALIVE_S / 2)
            if link.heard or self._paused:
                link.heard = False
                link.write(packets.PINGREQ)
            elif not link.closed.done():
                raise TimeoutError("local broker is silent")
        if (error := link.closed.result()) is not None:
            raise error

    def _on_publishes(self, link: "_Link", publishes: list[Publish]) -> None:
        self._link = link  # also before we know that: what comes in it is acknowledged in it
        self._deliver(publishes)

    def _on_puback(self, packet_id: int) -> None:
        waiting = self._unacked.pop(packet_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def ack(self, packet_ids: list[int]) -> None:
        """Tell the broker that these messages are on disk. On a lost link they come again, and are recognised."""
        if self._link is not None and packet_ids:
            self._link.write(packets.pubacks(packet_ids))

    def pause(self) -> None:
        """Read nothing more from the socket: the broker holds the rest."""
        self._paused = True
        if self._link is not None:
            self._link.pause()

    def resume(self) -> None:
        """Read again."""
        self._paused = False
        if self._link is not None:
            self._link.resume()

    async def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Tell a device something. Returns when the broker has taken it (QoS 1) or it is written (QoS 0).

        Raises ConnectionError when the local broker is not there.
        """
        link = self._link
        if link is None:
            raise ConnectionError("the local broker is not connected")
        if not qos:
            link.write(packets.publish(topic, payload, 0, retain))
            return
        packet_id = self._next_packet_id()
        waiting = asyncio.get_running_loop().create_future()
        self._unacked[packet_id] = waiting
        link.write(packets.publish(topic, payload, 1, retain, packet_id))
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await waiting
        except TimeoutError as error:
            raise ConnectionError("the local broker did not take the message") from error
        finally:
            self._unacked.pop(packet_id, None)

    def _next_packet_id(self) -> int:
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id


class _Link(asyncio.BufferedProtocol):
    """One TCP connection.

    own_topic       what we say to ourselves there is not passed on
    is_subscribed   true when something was delivered, false when a PINGREQ was answered before anything was
    """

    def __init__(
        self, on_publishes: Callable[["_Link", list[Publish]], None], on_puback: Callable[[int], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.connack: asyncio.Future[Connack] = loop.create_future()
        self.suback: asyncio.Future[Suback] = loop.create_future()
        self.is_subscribed: asyncio.Future[bool] = loop.create_future()
        self.closed: asyncio.Future[Exception | None] = loop.create_future()
        self.heard = True
        self.own_topic = ""
        self._buffer = bytearray(READ_BYTES)
        self._parser = Parser()
        self._on_publishes = on_publishes
        self._on_puback = on_puback
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.heard = True
        try:
            arrived = self._parser.feed(bytes(memoryview(self._buffer)[:nbytes]))
            publishes = [packet for packet in arrived if type(packet) is Publish]
            if publishes and not self.is_subscribed.done():
                self.is_subscribed.set_result(True)
            if len(publishes) != len(arrived):
                for packet in arrived:
                    self._control(packet)
        except ProtocolError as error:
            self._end(error)
            return
        if self.own_topic and publishes:
            publishes = self._of_others(publishes)
        if publishes:
            self._on_publishes(self, publishes)

    def _of_others(self, publishes: list[Publish]) -> list[Publish]:
        others = [each for each in publishes if each.topic != self.own_topic]
        if len(others) != len(publishes):
            self.own_topic = ""  # it comes once
        return others

    def _control(self, packet: Any) -> None:
        if isinstance(packet, Puback):
            self._on_puback(packet.packet_id)
        elif isinstance(packet, Connack) and not self.connack.done():
            self.connack.set_result(packet)
        elif isinstance(packet, Suback):
            if 0x80 in packet.codes:
                raise ProtocolError("local broker refused the subscription")
            if not self.suback.done():
                self.suback.set_result(packet)
        elif isinstance(packet, Pingresp) and not self.is_subscribed.done():
            self.is_subscribed.set_result(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("local broker closed the connection"))

    def _end(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(error)
        for answer in (self.connack, self.suback, self.is_subscribed):
            if not answer.done():
                answer.set_exception(error or ConnectionError("closed"))
                answer.exception()  # nobody may be waiting any more
        self.close()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing() and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()
