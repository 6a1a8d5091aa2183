"""An MQTT client that shows a certificate, and a bare connection to see what a listener answers."""

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from edge_agent.southbound import packets
from tests.certificates import Identity


def context(ca: Path | None, identity: Identity | None = None) -> ssl.SSLContext:
    """A client's TLS. ca None: whoever answers is good enough, for clients that mean harm."""
    made = ssl.create_default_context(cafile=ca) if ca else ssl._create_unverified_context()
    if identity is not None:
        made.load_cert_chain(identity.cert, identity.key)
    return made


def connack(port: int, tls: ssl.SSLContext | None, client_id: str = "whoever", host: str = "127.0.0.1") -> int:
    """The code with which the broker answers a CONNECT. Raises ConnectionError or ssl.SSLError when it does not."""
    with socket.create_connection((host, port), timeout=5) as plain:
        link = tls.wrap_socket(plain, server_hostname=host) if tls else plain
        try:
            link.sendall(packets.connect(client_id, 20, "", ""))
            answer = link.recv(4)
        finally:
            if tls:
                link.close()
    if len(answer) < 4 or answer[0] != 0x20:
        raise ConnectionResetError(f"no CONNACK but {answer!r}")
    return answer[3]


class Client:
    """A connected client that notes all it is given, as (topic, payload)."""

    def __init__(
        self,
        port: int,
        tls: ssl.SSLContext | None,
        client_id: str = "",
        password: str | None = None,
        keeps: bool = False,
        patience_s: float = 10,
        user: str = "",
    ) -> None:
        self.heard: list[tuple[str, str]] = []
        self._ready = threading.Event()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not keeps)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        if password is not None:
            self._client.username_pw_set(user or client_id, password)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.connect("127.0.0.1", port, keepalive=20)
        self._client.loop_start()
        if not self._ready.wait(patience_s):
            self.close()
            raise AssertionError("not let in")

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if not reason.is_failure:
            self._ready.set()

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload.decode(errors="replace")))

    def subscribe(self, *topics: str) -> None:
        """Ask for topics; returns when the broker has taken note."""
        self._subscribed.clear()
        self._client.subscribe([(topic, 1) for topic in topics])
        assert self._subscribed.wait(10)

    def publish(self, topic: str, payload: str) -> None:
        """Publish with QoS 1; returns with the PUBACK, which a refused message gets too (MQTT 3.1.1)."""
        info = self._client.publish(topic, payload, 1)
        info.wait_for_publish(10)
        assert info.is_published(), f"no PUBACK for {topic}"

    @property
    def connected(self) -> bool:
        """Is it?"""
        return self._client.is_connected()

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
