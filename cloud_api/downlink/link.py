"""The cloud's way down to gateways: one MQTT session that only publishes, and comes back by itself."""

import asyncio
import logging
import random
import ssl
from typing import NamedTuple

import aiomqtt

log = logging.getLogger(__name__)

RETRY_S_MAX = 5.0
PUBLISH_S_MAX = 5.0


class Broker(NamedTuple):
    """Where the cloud's broker is. With ``tls_ca`` the session is TLS, and never plain text."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""


class Downlink:
    """``run`` keeps the session; ``publish`` answers whether the broker took the message, and never waits for a link."""

    def __init__(self, broker: Broker, client_id: str, random_source: random.Random) -> None:
        self._broker = broker
        self._client_id = client_id
        self._random = random_source
        self._client: aiomqtt.Client | None = None
        self.connected = asyncio.Event()
        self.sessions = 0  # how many there have been, this one included

    async def run(self) -> None:
        """Connect, stay connected, connect again after a pause with full jitter. Runs until cancelled."""
        pause_s = 0.2
        while True:
            try:
                async with self._session() as client:
                    self._client = client
                    self.sessions += 1
                    self.connected.set()
                    pause_s = 0.2
                    log.info("downlink connected")
                    async for _ in client.messages:  # nothing is subscribed: this ends when the link does
                        pass
            except aiomqtt.MqttError as error:
                log.warning("downlink lost: %s", error)
            finally:
                self._client = None
                self.connected.clear()
            await asyncio.sleep(self._random.uniform(0, pause_s))
            pause_s = min(RETRY_S_MAX, pause_s * 2)

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """QoS 1. True when the broker has taken it; False when the link is down or it gave no answer in time."""
        if self._client is None:
            return False
        try:
            await self._client.publish(topic, payload, qos=1, retain=retain, timeout=PUBLISH_S_MAX)
        except aiomqtt.MqttError as error:
            log.warning("not published to %s: %s", topic, error)
            return False
        return True

    def _session(self) -> aiomqtt.Client:
        broker = self._broker
        context = None
        if broker.tls_ca:
            context = ssl.create_default_context(cafile=broker.tls_ca)
            if broker.tls_cert:
                context.load_cert_chain(broker.tls_cert, broker.tls_key)
        return aiomqtt.Client(
            broker.host,
            broker.port,
            identifier=self._client_id,
            username=broker.username or None,
            password=broker.password or None,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=True,
            tls_context=context,
            timeout=PUBLISH_S_MAX,
        )
