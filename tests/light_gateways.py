"""Many gateways in one process: the real protocol (contracts, MQTT 3.1.1), without outbox, profiles or devices.

`python -m tests.light_gateways PORT COUNT [TLS]` connects them (TLS: folder of their certificates and keys), then does what
lines on standard input say: "cut" resets every connection and tells, when all are back, how long each took; "quit" leaves.
What happens is told as JSON, an object a line.
"""

import asyncio
import contextlib
import json
import random
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from contracts import topics
from contracts.frame import encode_frame
from contracts.messages import FrameAck, GatewayState, IngestState, LaneState, Welcome
from contracts.reading import Clock, Quality, Reading, Sample
from edge_agent.southbound import packets
from edge_agent.southbound.packets import Connack, Packet, Parser, Puback, Publish
from edge_agent.uplink.pace import Pace

BACKLOG_FRAMES = 5
WINDOW = 16
FRESH_S = 10.0
HEARTBEAT_S = 15.0
KEEPALIVE_S = 60
RECONNECT_S_MAX = 1.5
CONNECT_S = 30.0
"""So long a broker may take for its CONNACK: the agent waits 5 s, but does not share a process with 2,000 TLS handshakes,
of which each that is given up has been in vain. Ingest's welcome is waited for with the connection held, as the agent does."""
ASK_S, ASK_S_MAX = 1.0, 15.0
"""As the agent: a question is repeated after so long, then at twice the distance each time."""
RESEND_MS = 5_000
"""As the agent: at least, and longer where answers take longer."""
EPOCH = "0123456789abcdef"
_encode = msgspec.msgpack.Encoder().encode


def connect(client_id: str, will_topic: str, will: bytes) -> bytes:
    """CONNECT for a clean session with a retained will of QoS 1."""
    body = b"\x00\x04MQTT\x04\x2e" + KEEPALIVE_S.to_bytes(2, "big")
    for part in (client_id.encode(), will_topic.encode(), will):
        body += len(part).to_bytes(2, "big") + part
    return packets._packet(0x10, body)


def client_tls(folder: Path, name: str) -> ssl.SSLContext:
    """One gateway's."""
    context = ssl.create_default_context(cafile=folder / "services-ca.pem")
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


class Line(asyncio.Protocol):
    """One connection of a gateway; one that was given up says no more to it."""

    def __init__(self, gateway: "LightGateway") -> None:
        self.connected = asyncio.Event()
        self.lost = asyncio.Event()
        self.transport: asyncio.Transport | None = None
        self._gateway = gateway
        self._parser = Parser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._gateway.greet(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        for packet in self._parser.feed(data):
            if isinstance(packet, Connack):
                self.connected.set()
            self._gateway.on_packet(packet)

    def write(self, data: bytes) -> None:
        """Say it, if the connection is still there."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def reset(self) -> None:
        """Cut it."""
        if self.transport is not None:
            self.transport.abort()


class LightGateway:
    """One gateway. Its frames are made when they are due; ``unacked`` is its outbox."""

    def __init__(self, port: int, name: str, chance: random.Random, tls: Path | None = None) -> None:
        self.name = name
        self.welcomed = asyncio.Event()
        self.unacked: dict[int, bytes] = {}
        self.back_at = 0.0
        self.acked_frames = 0
        self._port = port
        self._tls = client_tls(tls, name) if tls else None
        self._chance = chance
        self._seq = 0
        self._samples = 0
        self._packet_id = 0
        self._pace = Pace(WINDOW, RESEND_MS)
        self._first_sent: dict[int, float] = {}
        self._sent: dict[int, float] = {}
        self._ingest = False
        self._line: Line | None = None
        self._session = ""
        self._asked_at = 0.0
        self._ask_s = ASK_S

    async def run(self, begin_after_s: float) -> None:
        """Come after a while, and stay."""
        await asyncio.sleep(begin_after_s)
        attempt = 0
        while True:
            self._ingest = False
            self.welcomed.clear()
            self._sent.clear()
            self._first_sent.clear()
            self._pace.link_up()
            self._session = f"{self._chance.getrandbits(64):016x}"
            self._line = line = Line(self)
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_S):
                    await asyncio.get_running_loop().create_connection(
                        lambda line=line: line, "127.0.0.1", self._port, ssl=self._tls
                    )
                    await line.connected.wait()
                attempt = 0
                await self._stay(line)
            self.reset()
            attempt += 1
            await asyncio.sleep(self._chance.uniform(0, min(RECONNECT_S_MAX, 0.1 * 2**attempt)))

    async def _stay(self, line: Line) -> None:
        now = time.monotonic()
        fresh_at = now + self._chance.uniform(0, FRESH_S)
        state_at, self._asked_at, self._ask_s = now + self._chance.uniform(0, HEARTBEAT_S), now, ASK_S
        while not line.lost.is_set():
            now = time.monotonic()
            if now >= fresh_at:
                fresh_at += FRESH_S
                self.produce()
            waits = self._ingest and not self.welcomed.is_set()
            patience_s = self._pace.resend_after_ms / 1000 if self.welcomed.is_set() else ASK_S
            if now >= state_at or (waits and now >= self._asked_at + self._ask_s):
                state_at, self._asked_at, self._ask_s = now + HEARTBEAT_S, now, min(2 * self._ask_s, ASK_S_MAX)
                self._say_state(ask=waits)
                line.write(packets.PINGREQ)
            if late := [seq for seq, at in self._sent.items() if now - at >= self._pace.resend_after_ms / 1000]:
                self._pace.late(int(now * 1000))
                for seq in late:
                    del self._sent[seq]
            self._send()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.01, min(fresh_at, state_at, now + patience_s) - now)):
                    await line.lost.wait()

    def produce(self) -> None:
        """A frame of ten readings."""
        now_ms = time.time_ns() // 1_000_000
        good = Quality.GOOD
        readings = [
            Reading(f"d{n}", now_ms + n, now_ms + n, Clock.DEVICE, (Sample("temperature", 20.0 + n, good, ""),))
            for n in range(10)
        ]
        self._seq += 1
        self.unacked[self._seq] = encode_frame(self.name, EPOCH, "bulk", self._seq, now_ms, self._samples, readings, [])
        self._samples += 10

    def reset(self) -> None:
        """Cut the connection."""
        if self._line is not None:
            self._line.reset()
            self._line = None

    def greet(self, line: Line) -> None:
        """A connection is there."""
        death = _encode(GatewayState(online=False, session=self._session))
        line.write(connect(self.name, topics.state(self.name), death))

    def on_packet(self, packet: Packet) -> None:
        if isinstance(packet, Connack):
            assert not packet.code, f"{self.name} is refused with code {packet.code}"
            name = self.name
            filters = (
                topics.ack(name), topics.command(name), topics.desired(name), topics.welcome(name), topics.INGEST,
            )  # fmt: skip
            self._write(packets.subscribe(self._next_id(), filters, 0))
        elif isinstance(packet, Publish):
            if packet.qos:
                self._write(packets.pubacks([packet.packet_id]))
            self._on_publish(packet)
        elif not isinstance(packet, Puback):
            pass

    def _on_publish(self, message: Publish) -> None:
        if message.topic == topics.INGEST:
            online = msgspec.msgpack.decode(message.payload, type=IngestState).online
            if online and not self._ingest:
                self._asked_at, self._ask_s = time.monotonic(), ASK_S
                self._say_state(ask=True)
            self._ingest = online
        elif message.topic == topics.welcome(self.name):
            if msgspec.msgpack.decode(message.payload, type=Welcome).session == self._session:
                self.welcomed.set()
                self._note_if_back()
        elif message.topic == topics.ack(self.name):
            now = time.monotonic()
            for first, last in msgspec.msgpack.decode(message.payload, type=FrameAck).ranges:
                for seq in [seq for seq in self.unacked if first <= seq <= last]:
                    del self.unacked[seq]
                    sent, first_sent = self._sent.pop(seq, now), self._first_sent.pop(seq, now)
                    self._pace.answered(int((now - first_sent) * 1000), int(now * 1000), again=sent != first_sent)
                    self.acked_frames += 1
            self._send()
            self._note_if_back()

    def _note_if_back(self) -> None:
        if not self.back_at and self.welcomed.is_set() and not self.unacked:
            self.back_at = time.monotonic()

    def _send(self) -> None:
        if not self.welcomed.is_set():
            return
        for seq, payload in self.unacked.items():
            if len(self._sent) >= self._pace.frames:
                return
            if seq not in self._sent:
                self._sent[seq] = time.monotonic()
                self._first_sent.setdefault(seq, self._sent[seq])
                self._write(packets.publish(topics.up(self.name, "bulk"), payload, 1, False, self._next_id()))

    def _say_state(self, ask: bool) -> None:
        buffered = 10 * len(self.unacked)
        lane = LaneState(
            epoch=EPOCH, lane="bulk", last_seq=self._seq, produced=self._samples, dropped=0, buffered=buffered,
            oldest_unacked_seq=min(self.unacked, default=self._seq + 1),
        )  # fmt: skip
        state = GatewayState(
            online=True, session=self._session, instance=self.name, at_ms=time.time_ns() // 1_000_000, ask=ask,
            heartbeat_ms=int(HEARTBEAT_S * 1000), lanes=[lane],
        )  # fmt: skip
        self._write(packets.publish(topics.state(self.name), _encode(state), int(ask), True, self._next_id()))

    def _next_id(self) -> int:
        self._packet_id = self._packet_id % 65_535 + 1
        return self._packet_id

    def _write(self, data: bytes) -> None:
        if self._line is not None:
            self._line.write(data)


class Fleet:
    """All of them."""

    def __init__(self, port: int, count: int, tls: Path | None = None, seed: int = 1) -> None:
        self.gateways = [
            LightGateway(port, name, random.Random(seed * 100_000 + n), tls) for n, name in enumerate(fleet_ids(count))
        ]

    async def run(self, lines: asyncio.StreamReader) -> None:
        """Connect, then do what the lines say."""
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(each.run(n / 200), name=each.name) for n, each in enumerate(self.gateways)
            ]  # 200 a second at first
            began = time.monotonic()
            await self._all_back("connected", began)
            while (line := await lines.readline()) and line.strip() != b"quit":
                began = self._cut()
                await self._all_back("back", began)
            for task in running:
                task.cancel()

    def _cut(self) -> float:
        for gateway in self.gateways:
            gateway.back_at = 0.0
            for _ in range(BACKLOG_FRAMES):
                gateway.produce()
        began = time.monotonic()
        for gateway in self.gateways:
            gateway.reset()
        return began

    async def _all_back(self, event: str, began: float) -> None:
        while not all(each.back_at for each in self.gateways):
            await asyncio.sleep(0.05)
            if time.monotonic() - began > 120:
                break
        took = sorted(each.back_at - began for each in self.gateways if each.back_at)
        self._tell(
            event=event, count=len(took), of=len(self.gateways), last_s=round(took[-1], 2) if took else None,
            median_s=round(took[len(took) // 2], 2) if took else None, frames=sum(g.acked_frames for g in self.gateways),
        )  # fmt: skip

    @staticmethod
    def _tell(**what: Any) -> None:
        print(json.dumps(what), flush=True)


async def main(port: int, count: int, tls: Path | None = None) -> None:
    """Run a fleet, told by standard input."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await Fleet(port, count, tls).run(lines)


def fleet_ids(count: int) -> Iterator[str]:
    """The names of so many light gateways."""
    return (f"light-{n:05d}" for n in range(count))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:])))
