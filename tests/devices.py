"""A device as the outside sees it: a foreign MQTT client that knows exactly which messages the broker acknowledged."""

import json
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt


class ForeignClient:
    """A paho client on its own thread. ``acked`` counts what the broker gave a PUBACK for."""

    def __init__(self, port: int, client_id: str = "") -> None:
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id)
        self._client.max_inflight_messages_set(1_000)
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._connected = threading.Event()
        self._lock = threading.Lock()
        self._handlers: dict[str, Callable[[str, bytes], None]] = {}
        self._mids: dict[int, Any] = {}
        self._early: set[int] = set()  # acknowledged before we knew the mark
        self.acked: list[Any] = []
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port, keepalive=20)
        self._client.loop_start()
        assert self._connected.wait(10), "no broker"

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        for topic in self._handlers:
            client.subscribe(topic, 1)
        self._connected.set()

    def _on_publish(self, client: mqtt.Client, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        with self._lock:
            if mid in self._mids:
                self.acked.append(self._mids.pop(mid))
            else:
                self._early.add(mid)

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        for topic, handler in self._handlers.items():
            if mqtt.topic_matches_sub(topic, message.topic):
                handler(message.topic, message.payload)

    def __enter__(self) -> "ForeignClient":
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(
        self, topic: str, payload: bytes, mark: Any = None, qos: int = 1, retain: bool = False
    ) -> mqtt.MQTTMessageInfo:
        """Publish without waiting; ``mark`` appears in ``acked`` when the PUBACK has come."""
        info = self._client.publish(topic, payload, qos, retain)  # not under the lock: paho's thread may need it first
        with self._lock:
            if info.mid in self._early:
                self._early.discard(info.mid)
                self.acked.append(mark)
            else:
                self._mids[info.mid] = mark
        return info

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish and wait for the PUBACK."""
        self.send(topic, payload, retain=retain).wait_for_publish(10)

    def listen(self, topic: str, handler: Callable[[str, bytes], None]) -> None:
        """Call ``handler`` (on paho's thread) for every message of the topic."""
        self._handlers[topic] = handler
        self._client.subscribe(topic, 1)


def reading(count: int, **samples: Any) -> bytes:
    """A payload of the open profile linli/reading, with the test's own counter."""
    return json.dumps({"samples": {"message_count": count, **samples}}, separators=(",", ":")).encode()
