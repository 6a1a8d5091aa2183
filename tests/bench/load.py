"""Load and its far end, made so that they bound the measurement little: raw sockets, prebuilt QoS 1 packets, a window."""

import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from edge_agent.southbound import packets

WINDOW = 2_000
PROFILE = Path(__file__).parent / "profile.yaml"
"""How Linli reads these messages."""


def payloads(count: int, devices: int = 100, first: int = 0) -> list[tuple[str, bytes]]:
    """Messages of 150 bytes with four values, of so many devices; ``message_count`` goes up from ``first``."""
    chance = random.Random(first + 1)
    messages = []
    for number in range(first, first + count):
        samples = {
            "message_count": number,
            "temperature": round(chance.gauss(20, 3), 1),
            "humidity": round(chance.uniform(30, 60), 1),
            "battery_voltage": round(chance.gauss(3.3, 0.05), 3),
        }
        body = json.dumps(samples, separators=(",", ":")).encode()
        messages.append((f"bench/dev-{number % devices:03d}", body.ljust(150)))
    return messages


class RawPublisher:
    """One MQTT connection with a clean session."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05bench")
        assert self._socket.recv(4) == b"\x20\x02\x00\x00"
        self.acked = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        rest = 0
        while data := self._socket.recv(65_536):
            rest += len(data)
            self.acked += rest // 4
            rest %= 4

    def publish_all(self, messages: list[tuple[str, bytes]], rate: float = 0) -> None:
        """Publish and wait for every PUBACK; ``rate`` messages/s, or as fast as the window allows."""
        stream = [packets.publish(*message, 1, False, number % 65_000 + 1) for number, message in enumerate(messages)]
        began, base = time.monotonic(), self.acked
        step = 50 if not rate else 1
        for at in range(0, len(stream), step):
            while at - (self.acked - base) > WINDOW:
                time.sleep(0.0005)
            if rate and (ahead := at / rate - (time.monotonic() - began)) > 0:
                time.sleep(ahead)
            self._socket.sendall(b"".join(stream[at : at + step]))
        while self.acked - base < len(stream):
            time.sleep(0.001)

    def send_one(self, message: tuple[str, bytes], number: int) -> None:
        """Publish without waiting."""
        self._socket.sendall(packets.publish(*message, 1, False, number % 65_000 + 1))

    def close(self) -> None:
        """Leave."""
        self._socket.close()


class Watcher:
    """A subscriber to everything with a persistent session: what comes while the broker is away or it is, comes later.

    Each message is given to ``told`` (topic, payload) and then acknowledged; what that returns is published.
    """

    def __init__(self, port: int, told: Callable[[str, bytes], tuple[str, bytes] | None]) -> None:
        self._port = port
        self._told = told
        self._subscribed = threading.Event()
        self._ended = False
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._subscribed.wait(10), "the broker takes no subscription"

    def _run(self) -> None:
        while not self._ended:
            try:
                with socket.create_connection(("127.0.0.1", self._port)) as self._socket:
                    self._listen(self._socket)
            except OSError:
                time.sleep(0.005)

    def _listen(self, link: socket.socket) -> None:
        link.sendall(packets.connect("watcher", 0) + packets.subscribe(1, ("#",), 1))
        parser = packets.Parser(1 << 24)
        while data := link.recv(262_144):
            answers, taken = [], []
            for packet in parser.feed(data):
                if isinstance(packet, packets.Suback):
                    self._subscribed.set()
                elif isinstance(packet, packets.Publish):
                    if (answer := self._told(packet.topic, packet.payload)) is not None:
                        answers.append(packets.publish(*answer))
                    if packet.packet_id:
                        taken.append(packet.packet_id)
            link.sendall(packets.pubacks(taken) + b"".join(answers))

    def close(self) -> None:
        """Leave."""
        self._ended = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
