"""A load that does not bound the measurement: prebuilt PUBLISH packets over a raw socket, QoS 1, windowed."""

import json
import random
import socket
import threading
import time

from edge_agent.southbound import packets

WINDOW = 2_000


def payloads(count: int, devices: int = 100, seed: int = 1) -> list[tuple[str, bytes]]:
    """Messages of about 150 bytes with four values, of so many devices, through the open profile."""
    chance = random.Random(seed)
    messages = []
    for number in range(count):
        samples = {
            "message_count": number,
            "temperature": round(chance.gauss(20, 3), 1),
            "humidity": round(chance.uniform(30, 60), 1),
            "battery_voltage": round(chance.gauss(3.3, 0.05), 3),
        }
        body = json.dumps(
            {"kind": "building", "name": "Bench sensor", "samples": samples}, separators=(",", ":")
        ).encode()
        messages.append((f"linli-device/reading/dev-{number % devices:03d}", body.ljust(150)))
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
