"""The session with the cloud: kept for as long as the agent runs; frames, state up; acks, commands, desired state down."""

import asyncio
import contextlib
import logging
import random
import secrets
import sqlite3
import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import aiomqtt
import msgspec

from contracts import topics
from contracts.messages import CertificateIssued, Command, DesiredState, FrameAck, GatewayState, IngestState, Welcome
from contracts.mqtt_client import MqttClient
from edge_agent.outbox.framing import CommittedFrame
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.uplink.acks import AckNotes
from edge_agent.uplink.earlier import EarlierSender
from edge_agent.uplink.handshake import Fenced, Handshake
from edge_agent.uplink.hearing import Hearing, LinkWord
from edge_agent.uplink.line import Line
from edge_agent.uplink.sender import FrameSender
from edge_agent.uplink.window import SendWindow

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
FENCED_S = 15.0
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What reading a stranger's bytes may raise: text that is no UTF-8 and things within things are not msgspec's own errors."""
UNCONFIRMED_MAX = 100
"""Messages beside the frames that may wait for their PUBACK; a dead link is found before there are more."""


class CloudAddress(NamedTuple):
    """Where the cloud's broker is, and how to prove who we are.

    tls        makes the context of one session; None: no TLS
    let_in     called when a session has begun: what ``tls`` has made was good
    issued     called with the cloud's answer to a CertificateWanted
    """

    host: str
    port: int
    username: str = ""
    password: str = ""
    tls: Callable[[], ssl.SSLContext] | None = None
    let_in: Callable[[], None] = lambda: None
    issued: Callable[[CertificateIssued], None] = lambda answer: None


class Begun(Exception):
    """The session begins anew: the outbox was begun anew, or there is a new certificate."""


class Uplink:
    """Holds the session with the cloud for as long as it runs.

    state, on_time   see ``Handshake``
    on_command, on_desired   called for what comes down, with its bytes as they came
    mqtt       makes the client of one session
    """

    def __init__(
        self,
        gateway: str,
        cloud: CloudAddress,
        window: SendWindow,
        writer: OutboxWriter,
        state: Callable[[], GatewayState],
        on_time: Callable[[int, int, int], Awaitable[None]],
        on_command: Callable[[Command, bytes], None],
        on_desired: Callable[[DesiredState, bytes], None],
        monotonic_ms: Callable[[], int],
        jitter: random.Random,
        backoff_s_max: float,
        heartbeat_s: float,
        checkpoint: Callable[[str], None],
        mqtt: Callable[..., aiomqtt.Client] = MqttClient,
    ) -> None:
        self.gateway = gateway
        self.connected = False
        self.failing = ""
        self.sessions = 0
        self.conflicts = 0
        self._cloud = cloud
        self._window = window
        self._writer = writer
        self._on_command = on_command
        self._on_desired = on_desired
        self._monotonic_ms = monotonic_ms
        self._jitter = jitter
        self._backoff_s_max = backoff_s_max
        self._mqtt = mqtt
        self._begun = asyncio.Event()
        self._why_anew = ""
        self._hearing = Hearing()
        self._acks = AckNotes(writer)
        self.frames = FrameSender(gateway, window, writer, self._acks, monotonic_ms, checkpoint)
        self._earlier = EarlierSender(gateway, writer, window.resend_after_ms, self.frames.committed)
        self._handshake = Handshake(
            gateway, writer, window, self.frames, self._earlier, self._acks, self._hearing, state, on_time,
            monotonic_ms, heartbeat_s,
        )  # fmt: skip

    @property
    def link(self) -> LinkWord:
        """In which directions the link works."""
        return self._hearing.link(self._monotonic_ms(), self._window.answer_ms)

    @property
    def ingest_online(self) -> bool:
        """The cloud's ingest is there."""
        return self._handshake.ingest_online

    @property
    def fenced(self) -> bool:
        """Another instance of this gateway is alive."""
        return self._handshake.fenced

    def committed(self, frames: list[CommittedFrame]) -> None:
        """These frames are on disk now."""
        self.frames.committed(frames)

    def begin_anew(self, why: str) -> None:
        """End the session and begin another: the outbox was begun anew, or we prove who we are by something new."""
        self._why_anew = why
        self._begun.set()

    async def run(self) -> None:
        """Stay connected until cancelled; full jitter between attempts."""
        attempt = 0
        while True:
            pause_s_max = 0.0
            try:
                # In a task of its own: only then does this task's cancelling() tell a wish to end from the errors of a
                # group of tasks, which cancel their parent too.
                await asyncio.create_task(self._hold_session(secrets.token_hex(8)), name="cloud session")
                attempt = 0
            except* (aiomqtt.MqttError, OSError, ssl.SSLError, sqlite3.Error, Begun) as errors:
                attempt = 1 if self.connected else attempt + 1
                self.failing = str(errors.exceptions[0]) or type(errors.exceptions[0]).__name__
                log.warning("cloud is not there", extra={"error": str(errors.exceptions[0]), "attempt": attempt})
            except* Fenced:
                pause_s_max = FENCED_S
                log.error("another instance of this gateway is alive; waiting", extra={"gateway": self.gateway})
            finally:
                self._lost()
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError  # an error on the way out has taken its place
            if pause_s_max:
                await asyncio.sleep(self._jitter.uniform(pause_s_max / 2, pause_s_max))
            else:
                await asyncio.sleep(self._jitter.uniform(0, min(self._backoff_s_max, 0.1 * 2**attempt)))

    def _lost(self) -> None:
        self.connected = False
        self._begun.clear()
        self._hearing.lost()
        self._handshake.lost()

    async def _hold_session(self, session: str) -> None:
        death = msgspec.msgpack.encode(GatewayState(online=False, session=session))
        async with self._mqtt(
            self._cloud.host,
            self._cloud.port,
            identifier=self.gateway,
            username=self._cloud.username or None,
            password=self._cloud.password or None,
            tls_context=self._cloud.tls() if self._cloud.tls else None,
            keepalive=KEEPALIVE_S,
            timeout=5,
            max_inflight_messages=self._window.frames_max + UNCONFIRMED_MAX,
            will=aiomqtt.Will(topics.state(self.gateway), death, qos=1, retain=True),
            logger=logging.getLogger("edge_agent.uplink.mqtt"),
        ) as client:
            line = Line(self.gateway, client, self._hearing, self._monotonic_ms, lambda: self._window.answer_ms)
            await line.subscribe()
            # The window bounds them; no warning.
            client.pending_calls_threshold = self._window.frames_max + UNCONFIRMED_MAX
            self.connected = True
            self._hearing.connected()
            self.failing = ""
            self.sessions += 1
            self._cloud.let_in()
            log.info("cloud connected", extra={"session": session})
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._handshake.run(line, session, tasks), name="heartbeat")
                    tasks.create_task(self._receive(client), name="receive")
                    tasks.create_task(self.frames.run(line, tasks), name="send")
                    tasks.create_task(self.frames.send_again(), name="send again")
                    tasks.create_task(self._acks.run(), name="acknowledgements")
                    tasks.create_task(self._earlier.run(client), name="earlier epochs")
                    tasks.create_task(self._begin_anew(), name="begun anew")
            except asyncio.CancelledError:
                with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
                    async with asyncio.timeout(1):
                        leaves = msgspec.msgpack.encode(self._handshake.leaving(session))
                        await client.publish(topics.state(self.gateway), leaves, qos=1, retain=True)
                raise

    async def _begin_anew(self) -> None:
        await self._begun.wait()
        raise Begun(self._why_anew)

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topic = str(message.topic)
            payload = bytes(message.payload) if isinstance(message.payload, bytes | bytearray) else b""
            if topic in (topics.ack(self.gateway), topics.welcome(self.gateway)):
                self._hearing.answered()
            else:
                self._hearing.told(self._monotonic_ms())
            try:
                if topic == topics.ack(self.gateway):
                    await self._on_ack(msgspec.msgpack.decode(payload, type=FrameAck))
                elif topic == topics.welcome(self.gateway):
                    await self._handshake.on_welcome(msgspec.msgpack.decode(payload, type=Welcome))
                elif topic == topics.command(self.gateway) and message.retain:
                    log.error("a command is retained, which commands never are; it is not carried out")
                elif topic == topics.command(self.gateway):
                    self._on_command(msgspec.msgpack.decode(payload, type=Command), payload)
                elif topic == topics.certificate(self.gateway):
                    self._cloud.issued(msgspec.msgpack.decode(payload, type=CertificateIssued))
                elif topic == topics.desired(self.gateway):
                    self._on_desired(msgspec.msgpack.decode(payload, type=DesiredState), payload)
                elif topic == topics.INGEST:
                    self._handshake.on_ingest(msgspec.msgpack.decode(payload, type=IngestState))
            except UNREADABLE as error:
                log.error("message from the cloud can't be read", extra={"topic": topic, "error": str(error)})

    async def _on_ack(self, ack: FrameAck) -> None:
        if ack.epoch != self._writer.outbox.epoch:
            await self._earlier.on_ack(ack)
        elif not self.frames.is_sending:
            pass  # it may be meant for another outbox of which this one is a copy; what it says is asked again
        elif ack.conflicts:
            self.conflicts += len(ack.conflicts)
            log.error("the cloud holds other frames under our numbers", extra={"lane": ack.lane, "seqs": ack.conflicts})
            self._handshake.ask()
        else:
            self.frames.acked(ack)
