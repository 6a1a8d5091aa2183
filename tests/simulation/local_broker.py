"""A gateway's local broker as the agent meets it: bytes of MQTT 3.1.1 over a link that has delays and can be cut.

Two ways of delivering again, as measured on the real ones: Mosquitto resends at once, in order, before what is new;
NATS after its ack_wait, among newer ones, also in a living connection. Both keep packet ids and set DUP.
"""

import asyncio
from collections import OrderedDict, deque
from typing import Any, cast

from edge_agent.southbound import packets
from tests.simulation.process import SimLoop
from tests.simulation.world import World

IN_FLIGHT_MAX = 40
ACK_WAIT_S = 0.5


class Transport(asyncio.Transport):
    """The agent's end of the link."""

    def __init__(self, world: World, loop: SimLoop, protocol: asyncio.Protocol, broker: "LocalBroker") -> None:
        super().__init__()
        self._world = world
        self._loop = loop
        self._protocol = protocol
        self._broker = broker
        self._open = True
        self._paused = False
        self._waiting: list[bytes] = []
        self._there_s = self._back_s = 0.0
        self._rest = b""
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        if self._open and self._loop.process.alive:
            self._there_s = max(self._there_s, self._world.now_s + self._world.chance.uniform(0.0001, 0.004))
            self._world.at(self._there_s, lambda: self._arrive(bytes(data)))

    def _arrive(self, data: bytes) -> None:
        if not self._open:
            return
        self._rest += data
        while len(self._rest) >= 2 and len(self._rest) >= 2 + self._rest[1]:
            assert self._rest[1] < 0x80, "the agent's packets to the broker are short"
            packet, self._rest = self._rest[: 2 + self._rest[1]], self._rest[2 + self._rest[1] :]
            self._broker.packet(self, packet)

    def send(self, data: bytes) -> None:
        """From the broker, in portions that have nothing to do with packets."""
        self._back_s = max(self._back_s, self._world.now_s + self._world.chance.uniform(0.0001, 0.004))
        cut = self._world.chance.randint(0, len(data))
        for part in (data[:cut], data[cut:]):
            if part:
                self._world.at(self._back_s, lambda part=part: self._receive(part))  # type: ignore[misc]

    def _receive(self, data: bytes) -> None:
        if not self._open or not self._loop.process.alive:
            return
        if self._paused:
            self._waiting.append(data)
        else:
            self._loop.call_soon(self._hand_over, data)

    def _hand_over(self, data: bytes) -> None:
        while data and self._open:
            buffer = self._protocol.get_buffer(-1)
            part, data = data[: len(buffer)], data[len(buffer) :]
            buffer[: len(part)] = part
            self._protocol.buffer_updated(len(part))

    def cut(self) -> None:
        """The link is gone, and what is on its way with it."""
        if self._open:
            self._open = False
            self._broker.gone(self)
            if self._loop.process.alive:
                self._loop.call_soon(self._protocol.connection_lost, ConnectionResetError("link cut"))

    def close(self) -> None:
        if self._open:
            self._open = False
            self._broker.gone(self)
            self._loop.call_soon(self._protocol.connection_lost, None)

    def is_closing(self) -> bool:
        return not self._open

    def is_reading(self) -> bool:
        return not self._paused

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        for data in self._waiting:
            self._loop.call_soon(self._hand_over, data)
        self._waiting.clear()


class LocalBroker:
    """Holds the agent's session."""

    def __init__(self, world: World, resends_at_once: bool) -> None:
        self.up = True
        self.lost: set[int] = set()  # accepted here, lost with this broker's disk before the agent acknowledged it
        self.repeats = 0
        self._world = world
        self._resends_at_once = resends_at_once
        self._link: Transport | None = None
        self._session = self._subscribed = False
        self._queue: deque[tuple[int, str, bytes]] = deque()
        self._flying: OrderedDict[int, tuple[int, str, bytes]] = OrderedDict()
        self._packet_id = 0

    def connect(self, loop: SimLoop, protocol: asyncio.BaseProtocol) -> asyncio.Transport:
        """Raises ConnectionRefusedError while it is down."""
        if not self.up:
            raise ConnectionRefusedError("local broker is down")
        transport = Transport(self._world, loop, cast(asyncio.Protocol, protocol), self)
        loop.process.on_death.append(transport.cut)
        return transport

    @property
    def quiet(self) -> bool:
        """Everything has been acknowledged."""
        return not self._queue and not self._flying

    @property
    def flying(self) -> dict[int, str]:
        """What was sent to the agent and not acknowledged: mark -> topic."""
        return {mark: topic for mark, topic, _ in self._flying.values()}

    @property
    def has_session(self) -> bool:
        """The agent has subscribed: from now on nothing that comes in is lost."""
        return self._subscribed

    def accept(self, mark: int, topic: str, payload: bytes) -> bool:
        """A device publishes with QoS 1. True: it is in the session's queue."""
        if not self.up or not self._subscribed:
            return False
        self._queue.append((mark, topic, payload))
        self._pump()
        return True

    def _pump(self) -> None:
        while self._link is not None and self._queue and len(self._flying) < IN_FLIGHT_MAX:
            self._packet_id = self._packet_id % 65_535 + 1
            self._flying[self._packet_id] = self._queue.popleft()
            self._send(self._packet_id, dup=False)

    def _send(self, packet_id: int, dup: bool) -> None:
        mark, topic, payload = self._flying[packet_id]
        link = self._link
        if link is None:
            return
        self.repeats += dup
        self._world.note(f"local broker sends {mark} as {packet_id}{' again' if dup else ''}")
        link.send(packets.publish(topic, payload, 1, False, packet_id, dup))
        if not self._resends_at_once:
            self._world.after(ACK_WAIT_S, lambda: self._again(packet_id, mark))

    def _again(self, packet_id: int, mark: int) -> None:
        """NATS: whatever is not acknowledged in time."""
        if self._link is not None and self._flying.get(packet_id, (-1,))[0] == mark:
            self._send(packet_id, dup=True)

    def packet(self, link: Transport, packet: bytes) -> None:
        """From the agent."""
        kind = packet[0] >> 4
        if kind == 1:
            if self._link is not None:
                self._link.cut()
            self._link = link
            link.send(b"\x20\x02" + bytes([self._session, 0]))
            self._session = True
            if self._resends_at_once:
                for packet_id in list(self._flying):
                    self._send(packet_id, dup=True)
            else:
                for packet_id, (mark, _, _) in self._flying.items():
                    self._world.after(
                        self._world.chance.uniform(0, ACK_WAIT_S), lambda p=packet_id, m=mark: self._again(p, m)
                    )  # type: ignore[misc]
            self._pump()
        elif kind == 3 and self._subscribed:
            link.send(packet)  # QoS 0, and the agent is the only one who hears: at once, past what waits
        elif kind == 8:
            self._subscribed = True
            link.send(b"\x90\x03" + packet[2:4] + b"\x01")
        elif kind == 4:
            known = self._flying.pop(int.from_bytes(packet[2:4], "big"), None)
            if known is not None:
                self._world.note(f"local broker has the ack of {known[0]}")
            self._pump()
        elif kind == 12:
            link.send(b"\xd0\x00")
        elif kind == 14:
            link.cut()

    def gone(self, link: Transport) -> None:
        """A link is no more."""
        if self._link is link:
            self._link = None

    def cut(self) -> None:
        """Cut the agent's link."""
        if self._link is not None:
            self._link.cut()

    def kill(self, with_session: bool) -> None:
        """kill -9. with_session: its disk is lost, and with it the session and all it holds."""
        self.cut()
        self.up = False
        if with_session:
            self.lost |= {mark for mark, _, _ in [*self._queue, *self._flying.values()]}
            self._queue.clear()
            self._flying.clear()
            self._session = self._subscribed = False
            self._packet_id = 0
