"""A TCP proxy that breaks a link on purpose, on a thread and event loop of its own. Tests script it while it runs.

It knows links (latency, rate, silence, cuts, one direction only, how bytes are cut into segments) and MQTT packets (drop,
double, reorder, replay by direction, type and topic). Everything it does is counted, so that a test can prove its fault.
"""

import asyncio
import random
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, NamedTuple

from tests.brokers import free_port

Way = Literal["up", "down"]
"""up: from whoever connects to the target; down: from the target back."""

PUBLISH, PUBACK = 3, 4
HELD_BYTES_MAX = 1_048_576
"""What may be on its way in one direction of a connection; then no more is read, as with TCP's own window."""
PIECE_BYTES = 1_024
RECORDED_MAX = 1_000


class Packet(NamedTuple):
    """One MQTT packet on the wire. topic is "" for all but PUBLISH; packet_id 0 where there is none.

    send  puts bytes on the way of the connection that it came over, in one direction or the other
    """

    way: Way
    kind: int
    topic: str
    packet_id: int
    data: bytes
    send: "Callable[[Way, bytes], None]"

    @property
    def payload(self) -> bytes:
        """Of a PUBLISH."""
        return self.data[self._payload_at() :]

    def with_payload(self, payload: bytes) -> bytes:
        """This PUBLISH with another payload."""
        body = self.data[_body_at(self.data) : self._payload_at()] + payload
        length, left = bytearray(), len(body)
        while not length or left:
            length.append(left & 0x7F | (0x80 if left > 0x7F else 0))
            left >>= 7
        return self.data[:1] + bytes(length) + body

    def _payload_at(self) -> int:
        at = _body_at(self.data)
        return at + 2 + int.from_bytes(self.data[at : at + 2], "big") + (2 if self.data[0] & 0x06 else 0)


def _body_at(data: bytes) -> int:
    at = 1
    while data[at] & 0x80:
        at += 1
    return at + 1


class Link:
    """One direction. All may be changed while it runs.

    latency_s, jitter_s  each piece comes after latency_s ± jitter_s, never before an earlier one
    bytes_per_s          0: as fast as it goes
    segment_bytes        0: as it comes; 1: every byte by itself
    coalesce_s           what comes within this time goes in one write
    silent               nothing comes through, nothing is said: what was sent waits, as TCP would send it again
    """

    def __init__(self) -> None:
        self.latency_s = 0.0
        self.jitter_s = 0.0
        self.bytes_per_s = 0.0
        self.segment_bytes = 0
        self.coalesce_s = 0.0
        self.silent = False
        self.free_at = 0.0  # when the link has sent what it was given: the rate is shared by its connections

    def heal(self) -> None:
        """As good as new."""
        self.__init__()  # type: ignore[misc]


Rule = Callable[[Packet], list[bytes] | None]
"""What becomes of a packet: None leaves it to the next rule; else these bytes go on instead, [] is a drop."""


class FaultProxy:
    """Listens on ``port`` of ``host`` and connects to ``target_port`` on loopback."""

    def __init__(self, target_port: int, seed: int = 0, host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.links: dict[Way, Link] = {"up": Link(), "down": Link()}
        self.counts: Counter[str] = Counter()
        self.recorded: deque[Packet] = deque(maxlen=RECORDED_MAX)
        self.connected_at: list[float] = []
        self._host = host
        self._target = ("127.0.0.1", target_port)
        self._chance = random.Random(seed)
        self._rules: list[Rule] = []
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._flapping: asyncio.Task[None] | None = None

    # --- called by tests, from their thread ---

    def start(self) -> None:
        """Listen."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._listen())

    def stop(self) -> None:
        """Close everything."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def heal(self) -> None:
        """No faults any more; connections that are there stay."""
        for link in self.links.values():
            link.heal()
        self._rules = []
        self.flap(0)
        self.refuse(False)

    def silence(self, *ways: Way) -> None:
        """Half-open: nothing comes through in these directions, and nobody is told."""
        for way in ways or ("up", "down"):
            self.links[way].silent = True

    def cut(self) -> int:
        """Reset every connection. Returns how many."""
        return self._run(self._cut())

    def refuse(self, refuse: bool = True) -> None:
        """Nobody listens any more (connections that are there stay), or somebody does again."""
        self._run(self._refuse() if refuse else self._listen())

    def flap(self, every_s: float) -> None:
        """Cut every so many seconds; 0: no more."""
        self._run(self._flap(every_s))

    def rule(self, rule: Rule) -> None:
        """Look at every packet of both directions from now on. Only for connections made of whole MQTT packets."""
        self._rules = [*self._rules, rule]

    def replay(self, packet: Packet) -> None:
        """Send a packet once more, over every connection, in its direction."""
        self._run(self._replay(packet))

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # --- on its own loop ---

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, self._host, self.port)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _close(self) -> None:
        await self._refuse()
        await self._flap(0)
        await self._cut()
        while self._connections:
            await asyncio.sleep(0.01)

    async def _cut(self) -> int:
        alive = list(self._connections)
        for connection in alive:
            connection.reset()
        self.counts["cut"] += len(alive)
        return len(alive)

    async def _flap(self, every_s: float) -> None:
        if self._flapping is not None:
            self._flapping.cancel()
            self._flapping = None
        if every_s:
            self._flapping = asyncio.create_task(self._cut_again_and_again(every_s))

    async def _cut_again_and_again(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            self.counts["flaps"] += 1
            await self._cut()

    async def _replay(self, packet: Packet) -> None:
        for connection in list(self._connections):
            self.counts["replayed"] += 1
            connection.give(packet.way, packet.data)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        self.connected_at.append(time.monotonic())
        try:
            target = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, (reader, writer), target)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    def through_rules(self, packet: Packet) -> list[bytes]:
        """What goes on in a packet's place."""
        self.recorded.append(packet)
        for rule in self._rules:
            if (instead := rule(packet)) is not None:
                return instead
        return [packet.data]

    @property
    def has_rules(self) -> bool:
        """Whether packets must be told apart."""
        return bool(self._rules)

    def later_by(self, link: Link) -> float:
        """The time that a piece takes on its way."""
        return max(0.0, link.latency_s + self._chance.uniform(-link.jitter_s, link.jitter_s))


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """One client and its connection to the target."""

    def __init__(self, proxy: FaultProxy, near: Stream, far: Stream) -> None:
        self._proxy = proxy
        self._writers: dict[Way, asyncio.StreamWriter] = {"up": far[1], "down": near[1]}
        self._readers: dict[Way, asyncio.StreamReader] = {"up": near[0], "down": far[0]}
        self._on_way: dict[Way, deque[tuple[float, bytes]]] = {"up": deque(), "down": deque()}
        self._held: dict[Way, int] = {"up": 0, "down": 0}
        self._some: dict[Way, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._room: dict[Way, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._ended: set[Way] = set()
        self._tasks: list[asyncio.Task[None]] = []
        for writer in self._writers.values():
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self) -> None:
        ways: tuple[Way, Way] = ("up", "down")
        self._tasks = [asyncio.create_task(work(way)) for way in ways for work in (self._read, self._write)]
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in self._writers.values():
                writer.close()

    def reset(self) -> None:
        """RST to both."""
        for writer in self._writers.values():
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()

    def give(self, way: Way, data: bytes) -> None:
        """Put bytes on their way."""
        link = self._proxy.links[way]
        now = time.monotonic()
        queue = self._on_way[way]
        for at in range(0, len(data), PIECE_BYTES):
            piece = data[at : at + PIECE_BYTES]
            due = now + self._proxy.later_by(link)
            if link.bytes_per_s:
                link.free_at = max(now, link.free_at) + len(piece) / link.bytes_per_s
                due = max(due, link.free_at + link.latency_s)
            queue.append((max(due, queue[-1][0]) if queue else due, piece))
        self._held[way] += len(data)
        self._some[way].set()

    async def _read(self, way: Way) -> None:
        rest = b""
        while True:
            while self._held[way] > HELD_BYTES_MAX:
                self._room[way].clear()
                await self._room[way].wait()
            try:
                data = await self._readers[way].read(65_536)
            except OSError:
                data = b""
            if not data:
                self._ended.add(way)
                self._some[way].set()
                await asyncio.Event().wait()  # the writing side ends the connection when all has been said
            if not (self._proxy.has_rules or rest):
                self.give(way, data)
                continue
            found, rest = split_packets(way, rest + data, self.give)
            for packet in found:
                for instead in self._proxy.through_rules(packet):
                    self.give(way, instead)

    async def _write(self, way: Way) -> None:
        queue, writer = self._on_way[way], self._writers[way]
        link = self._proxy.links[way]
        while True:
            if not queue and way in self._ended and not link.silent:
                return
            self._some[way].clear()
            if not queue:
                await self._wait_for_more(way)
                continue
            if link.silent:
                await asyncio.sleep(0.02)
                continue
            if link.coalesce_s:
                await asyncio.sleep(link.coalesce_s)
                data = b"".join(piece for _, piece in queue)
                queue.clear()
            else:
                due, data = queue[0]
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(min(wait, 0.05))
                    continue
                queue.popleft()
            step = link.segment_bytes or len(data)
            for at in range(0, len(data), step):
                writer.write(data[at : at + step])
                self._proxy.counts[f"segments_{way}"] += 1
                await writer.drain()
            self._proxy.counts[f"bytes_{way}"] += len(data)
            self._held[way] -= len(data)
            self._room[way].set()

    async def _wait_for_more(self, way: Way) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):  # silence may end meanwhile
                await self._some[way].wait()


def split_packets(
    way: Way, data: bytes, send: Callable[[Way, bytes], None] = lambda way, data: None
) -> tuple[list[Packet], bytes]:
    """Whole MQTT packets, and what is left."""
    packets: list[Packet] = []
    place = 0
    while place + 2 <= len(data):
        length, shift, at = 0, 0, place + 1
        while at < len(data):
            byte = data[at]
            length |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        else:
            break
        if at + length > len(data):
            break
        packets.append(_packet(way, data[place : at + length], at - place, send))
        place = at + length
    return packets, data[place:]


def _packet(way: Way, data: bytes, body: int, send: Callable[[Way, bytes], None]) -> Packet:
    kind, topic, packet_id = data[0] >> 4, "", 0
    if kind == PUBLISH:
        after = body + 2 + int.from_bytes(data[body : body + 2], "big")
        topic = data[body + 2 : after].decode(errors="replace")
        packet_id = int.from_bytes(data[after : after + 2], "big") if data[0] & 0x06 else 0
    elif kind == PUBACK:
        packet_id = int.from_bytes(data[body : body + 2], "big")
    return Packet(way, kind, topic, packet_id, data, send)


class PacketFault:
    """A rule for the packets of one direction and kind whose topic ends so: dropped, doubled or held back at random.

    A dropped PUBLISH of QoS 1 is acknowledged in the receiver's place, so that its sender does not know that it is lost.
    One that is held back comes HELD_S later, after what followed it.
    """

    HELD_S = 0.3

    def __init__(
        self, way: Way, kind: int, topic_end: str = "", drop: float = 0, double: float = 0, reorder: float = 0,
        seed: int = 0,
    ) -> None:  # fmt: skip
        self.dropped = self.doubled = self.reordered = 0
        self._what = (way, kind, topic_end)
        self._shares = (drop, double, reorder)
        self._chance = random.Random(seed)

    def __call__(self, packet: Packet) -> list[bytes] | None:
        """See Rule."""
        way, kind, topic_end = self._what
        if packet.way != way or packet.kind != kind or not packet.topic.endswith(topic_end):
            return None
        drop, double, reorder = self._shares
        lot = self._chance.random()
        if lot < drop:
            self.dropped += 1
            if packet.kind == PUBLISH and packet.packet_id:
                back: Way = "down" if packet.way == "up" else "up"
                packet.send(back, b"\x40\x02" + packet.packet_id.to_bytes(2, "big"))
            return []
        if lot < drop + double:
            self.doubled += 1
            return [packet.data, packet.data]
        if lot < drop + double + reorder:
            self.reordered += 1
            asyncio.get_running_loop().call_later(self.HELD_S, packet.send, packet.way, packet.data)
            return []
        return [packet.data]


@contextmanager
def fault_proxy(target_port: int, seed: int = 0) -> Iterator[FaultProxy]:
    """A proxy for the length of a test."""
    proxy = FaultProxy(target_port, seed)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
