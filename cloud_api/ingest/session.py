"""A session with the cloud's broker, held for as long as the program runs: what is heard, what is said, who is there."""

import asyncio
import contextlib
import logging
import random
import secrets
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple

import aiomqtt
import msgspec

from contracts import topics
from contracts.messages import IngestState
from contracts.mqtt_client import MqttClient

log = logging.getLogger(__name__)
_ingest_reader = msgspec.msgpack.Decoder(IngestState)

BACKOFF_S_MAX = 1.0

Heard = Callable[[str, bytes, int], None]
"""(topic, payload, QoS with which it came)."""


class BrokerAddress(NamedTuple):
    """The cloud's broker, and how to prove who we are.

    tls        makes the context of one session; None: no TLS
    client_id  the name of our certificate; "": a new one each session
    """

    host: str
    port: int
    username: str = ""
    password: str = ""
    tls: Callable[[], ssl.SSLContext] | None = None
    client_id: str = ""


class BrokerSession:
    """Subscribed to ``filters`` (topic filter, QoS) while it is connected; ``heard`` is called for what comes.

    takes_frames  say, retained, that ingest is there (and with the will that it is gone): gateways send only then
    mqtt          makes a session's client
    """

    def __init__(
        self,
        broker: BrokerAddress,
        filters: Sequence[tuple[str, int]],
        heard: Heard,
        takes_frames: bool,
        clock: Callable[[], int],
        jitter: random.Random,
        mqtt: Callable[..., aiomqtt.Client] = MqttClient,
    ) -> None:
        self.connected = False
        self.sessions = 0
        """How many there were; more than one is a reconnect."""
        self._broker = broker
        self._filters = [*filters, (topics.INGEST, 1)] if takes_frames else list(filters)
        self._heard = heard
        self._takes_frames = takes_frames
        self._clock = clock
        self._jitter = jitter
        self._mqtt = mqtt
        self._client: aiomqtt.Client | None = None
        self._encoder = msgspec.msgpack.Encoder()

    async def run(self) -> None:
        """Stay connected until cancelled; full jitter between attempts."""
        attempt = 0
        while True:
            try:
                await self._hold()
                attempt = 0
            except (aiomqtt.MqttError, OSError) as error:
                attempt = 1 if self.connected else attempt + 1
                log.warning("broker is not there", extra={"error": str(error), "attempt": attempt})
            finally:
                self.connected = False
                self._client = None
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError  # an error on the way out has taken its place
            await asyncio.sleep(self._jitter.uniform(0, min(BACKOFF_S_MAX, 0.05 * 2**attempt)))

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """Publish with QoS 1 over this session. Returns whether the broker has taken it."""
        return await self._publish(topic, payload, 1, retain)

    async def tell(self, topic: str, payload: bytes) -> bool:
        """Publish with QoS 0: for acknowledgements and answers, which are given again when they are lost."""
        return await self._publish(topic, payload, 0, False)

    async def _publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        client = self._client
        if client is None:
            return False
        try:
            await client.publish(topic, payload, qos=qos, retain=retain, timeout=5)
        except aiomqtt.MqttError as error:
            log.warning("message was not published", extra={"topic": topic, "error": str(error)})
            return False
        return True

    async def _hold(self) -> None:
        session = secrets.token_hex(8)
        death = self._encoder.encode(IngestState(online=False, session=session))
        async with self._mqtt(
            self._broker.host,
            self._broker.port,
            identifier=self._broker.client_id or f"cloud-{session}",
            username=self._broker.username or None,
            password=self._broker.password or None,
            tls_context=self._broker.tls() if self._broker.tls else None,
            keepalive=15,
            timeout=5,
            max_inflight_messages=1_000,
            will=aiomqtt.Will(topics.INGEST, death, qos=1, retain=True) if self._takes_frames else None,
            logger=logging.getLogger("cloud_api.ingest.mqtt"),
        ) as client:
            await client.subscribe(self._filters)
            client.pending_calls_threshold = 1_000  # an acknowledgement a gateway and batch; no warning
            self._client = client
            if self._takes_frames:
                await self._say_born(client, session)
            self.connected = True
            self.sessions += 1
            log.info("broker connected", extra={"session": session})
            try:
                async for message in client.messages:
                    payload = message.payload if isinstance(message.payload, bytes) else b""
                    if str(message.topic) == topics.INGEST:
                        await self._contradict(client, session, payload)
                    else:
                        self._heard(str(message.topic), payload, message.qos)
            except asyncio.CancelledError:
                if self._takes_frames:
                    with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
                        async with asyncio.timeout(1):
                            await client.publish(topics.INGEST, death, qos=1, retain=True)
                raise

    async def _say_born(self, client: aiomqtt.Client, session: str) -> None:
        birth = IngestState(online=True, session=session, at_ms=self._clock())
        await client.publish(topics.INGEST, self._encoder.encode(birth), qos=1, retain=True)

    async def _contradict(self, client: aiomqtt.Client, session: str, payload: bytes) -> None:
        """Another session's death is retained over our birth: a half-open one of ours, or another worker. We are there.

        Gateways take it as a new ingest and send again what is not acknowledged: the dead one may have had it in hand.
        """
        with contextlib.suppress(msgspec.MsgspecError):
            state = _ingest_reader.decode(payload)
            if not state.online and state.session != session:
                await self._say_born(client, session)
