"""The MQTT client of one session with the cloud, on this gateway's topics; it notes whether what is said is confirmed."""

from collections.abc import Callable

import aiomqtt

from contracts import topics
from edge_agent.uplink.hearing import Hearing

PUBLISH_S = 20.0
"""The broker's PUBACK may take so long, and longer where answers do: then the link is given up."""


class Line:
    """answer_ms: what an answer may take on a link like this one."""

    def __init__(
        self,
        gateway: str,
        client: aiomqtt.Client,
        hearing: Hearing,
        monotonic_ms: Callable[[], int],
        answer_ms: Callable[[], int],
    ) -> None:
        self.gateway = gateway
        self.client = client
        self._hearing = hearing
        self._monotonic_ms = monotonic_ms
        self._answer_ms = answer_ms

    async def subscribe(self) -> None:
        """To everything that comes down; what is retained is sent again."""
        # With QoS 0: whatever is lost is said again, and a broker need not keep an account of it for each gateway.
        # (NATS makes a consumer on disk for every subscription with QoS 1: 300 gateways took a minute to come back.)
        await self.client.subscribe([
            (topics.ack(self.gateway), 0), (topics.command(self.gateway), 0), (topics.desired(self.gateway), 0),
            (topics.welcome(self.gateway), 0), (topics.INGEST, 0), (topics.certificate(self.gateway), 0),
        ])  # fmt: skip

    async def say(self, topic: str, payload: bytes, wants_answer: bool = True, retain: bool = False) -> None:
        """Publish with QoS 1, and wait for the PUBACK. wants_answer: ingest answers it too. Raises MqttError."""
        self._hearing.said(self._monotonic_ms(), wants_answer)
        patience_s = max(PUBLISH_S, 2 * self._answer_ms() / 1000)
        await self.client.publish(topic, payload, qos=1, retain=retain, timeout=patience_s)
        self._hearing.confirmed()
