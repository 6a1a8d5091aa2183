"""The session with the cloud: reads MQTT, asks the window, writes MQTT. Frames up; acks, commands, desired state down."""

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
from contracts.frame import frame_name
from contracts.messages import Command, DesiredState, FrameAck, GatewayState, IngestState, Welcome
from contracts.mqtt_client import MqttClient
from edge_agent.outbox.frames import CommittedFrame
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.uplink.acks import AckNotes
from edge_agent.uplink.earlier import EarlierSender
from edge_agent.uplink.hearing import Hearing, LinkWord
from edge_agent.uplink.judgement import held_lanes, is_copied, questioned
from edge_agent.uplink.window import FrameKey, SendWindow

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
ASK_HEARTBEATS = 6
"""With every so many heartbeats the cloud is asked for the time and for what it lacks."""
ASKED_KEPT = 4
UNANSWERED_MS = 5_000
"""A cloud that does not answer in this time is an older one: frames go without its word."""
FENCED_S = 15.0
PUBLISH_S = 20.0
"""The broker's PUBACK may take so long, and longer where answers do: then the link is given up."""
LATE_LOOK_MS_MAX = 4_000
UNCONFIRMED_MAX = 100
"""Messages beside the frames that may wait for their PUBACK; a dead link is found before there are more."""
CACHE_BYTES_MAX = 524_288
"""Fresh frames kept in memory until they are sent, so that they need not be read from disk."""


class CloudAddress(NamedTuple):
    """Where the cloud's broker is, and how to prove who we are. tls: makes the context of one session; None: no TLS."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    tls: Callable[[], ssl.SSLContext] | None = None


class Fenced(Exception):
    """Another instance of this gateway is alive: the cloud does not want to hear us now."""


class Begun(Exception):
    """The outbox was begun anew: the session begins anew too."""


class Uplink:
    """Holds the session with the cloud for as long as it runs.

    state      gives the GatewayState to publish (its ``session`` is set here)
    on_time    called with (the cloud's time ms UTC, steady ms of question and of answer); awaited before frames are sent
    on_command, on_desired   called for what comes down
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
        on_command: Callable[[Command], None],
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
        self.ingest_online = False
        self.fenced = False
        self.failing = ""
        self.sessions = 0
        self.frames_sent = 0
        self.frames_again = 0
        self.bytes_sent = 0
        self.frames_acked = 0
        self.conflicts = 0
        self._cloud = cloud
        self._window = window
        self._writer = writer
        self._state = state
        self._on_time = on_time
        self._on_command = on_command
        self._on_desired = on_desired
        self._monotonic_ms = monotonic_ms
        self._jitter = jitter
        self._backoff_s_max = backoff_s_max
        self._heartbeat_s = heartbeat_s
        self._checkpoint = checkpoint
        self._mqtt = mqtt
        self._cache: dict[FrameKey, bytes] = {}
        self._cache_bytes = 0
        self._work = asyncio.Event()
        self._say_state = asyncio.Event()
        self._begun = asyncio.Event()
        self._session = ""
        self._ingest_heard = False  # in this session
        self._ingest = ""  # the session of the ingest that has last said it is there
        self._asked: dict[int, int] = {}  # at_ms of a state that asks -> steady ms
        self._ask_since_ms: int | None = None  # since when an answer is awaited before frames may go
        self._earlier = EarlierSender(gateway, writer, window.resend_after_ms, self.committed)
        self._hearing = Hearing()
        self._acks = AckNotes(writer)
        self._encoder = msgspec.msgpack.Encoder()

    @property
    def link(self) -> LinkWord:
        """In which directions the link works."""
        return self._hearing.link(self._monotonic_ms(), self._window.answer_ms)

    def committed(self, frames: list[CommittedFrame]) -> None:
        """These frames are on disk now."""
        if not (self.connected and self.ingest_online):
            return
        for frame in frames:
            if frame.epoch != self._writer.outbox.epoch:
                continue  # its epoch has ended meanwhile
            key = FrameKey(frame.lane, frame.seq)
            self._window.committed(key)
            if self._cache_bytes + len(frame.payload) <= CACHE_BYTES_MAX:
                self._cache[key] = frame.payload
                self._cache_bytes += len(frame.payload)
        if frames:
            self._work.set()

    def renewed(self) -> None:
        """The outbox was begun anew: what the window knows is of the old one."""
        self._begun.set()

    async def run(self) -> None:
        """Stay connected until cancelled; full jitter between attempts."""
        attempt = 0
        while True:
            self._session = secrets.token_hex(8)
            pause_s_max = 0.0
            try:
                # In a task of its own: only then does this task's cancelling() tell a wish to end from the errors of a
                # group of tasks, which cancel their parent too.
                await asyncio.create_task(self._hold_session(self._session), name="cloud session")
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
        self.ingest_online = False
        self._ingest_heard = False
        self._ingest = ""
        self._ask_since_ms = None
        self._asked.clear()
        self._begun.clear()
        self._hearing.lost()
        self._forget()

    def _forget(self) -> None:
        """Nothing is in flight, nothing is to be sent until ``_begin``."""
        self._window.link_lost()
        self._cache.clear()
        self._cache_bytes = 0

    async def _hold_session(self, session: str) -> None:
        death = self._encoder.encode(GatewayState(online=False, session=session))
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
            await self._subscribe(client)
            # The window bounds them; no warning.
            client.pending_calls_threshold = self._window.frames_max + UNCONFIRMED_MAX
            self.connected = True
            self._hearing.connected()
            self.failing = ""
            self.sessions += 1
            log.info("cloud connected", extra={"session": session})
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._heartbeat(client, session, tasks), name="heartbeat")
                    tasks.create_task(self._receive(client), name="receive")
                    tasks.create_task(self._send(client, tasks), name="send")
                    tasks.create_task(self._resend(), name="resend")
                    tasks.create_task(self._acks.run(), name="acknowledgements")
                    tasks.create_task(self._earlier.run(client), name="earlier epochs")
                    tasks.create_task(self._begin_anew(), name="begun anew")
            except asyncio.CancelledError:
                with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
                    async with asyncio.timeout(1):
                        # With the time, unlike the will: this one leaves, so another instance need not wait for it.
                        leaves = GatewayState(online=False, session=session, at_ms=self._state().at_ms)
                        await client.publish(
                            topics.state(self.gateway), self._encoder.encode(leaves), qos=1, retain=True
                        )
                raise

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        # With QoS 0: whatever is lost is said again, and a broker need not keep an account of it for each gateway.
        # (NATS makes a consumer on disk for every subscription with QoS 1: 300 gateways took a minute to come back.)
        await client.subscribe([
            (topics.ack(self.gateway), 0), (topics.command(self.gateway), 0), (topics.desired(self.gateway), 0),
            (topics.welcome(self.gateway), 0), (topics.INGEST, 0),
        ])  # fmt: skip

    async def _heartbeat(self, client: aiomqtt.Client, session: str, tasks: asyncio.TaskGroup) -> None:
        """State now and then; it asks for an answer at first, while one is awaited, and now and then."""
        ask_ms = int(ASK_HEARTBEATS * self._heartbeat_s * 1000)
        asked_ms = self._monotonic_ms() - ask_ms
        while True:
            self._say_state.clear()
            now_ms = self._monotonic_ms()
            state = self._state()
            state.session = session
            state.ask = self._ask_since_ms is not None or now_ms - asked_ms >= ask_ms
            state.heartbeat_ms = int(self._heartbeat_s * 1000)
            state.unheard_ms = self._hearing.unheard_ms(now_ms, self._window.answer_ms)
            if state.ask:
                asked_ms = now_ms
                self._asked[state.at_ms] = now_ms
                while len(self._asked) > ASKED_KEPT:
                    del self._asked[next(iter(self._asked))]
            # Not waited for: where nothing comes down, PUBACKs neither, it must still be said.
            said = self._say(client, topics.state(self.gateway), self._encoder.encode(state), state.ask, retain=True)
            tasks.create_task(said, name="state")
            if self._ask_since_ms is not None and now_ms - self._ask_since_ms > UNANSWERED_MS:
                log.warning("the cloud does not answer; sending without its word")
                await self._writer.call(self._writer.outbox.heal_clock, 0, -1)  # what is sent is not moved any more
                await self._begin()
            waiting = self._ask_since_ms is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self._heartbeat_s, 1.0) if waiting else self._heartbeat_s):
                    await self._say_state.wait()
            if not self._ingest_heard:
                # What is retained comes with a subscription only, and not to who may not read it yet: ask again.
                await self._subscribe(client)

    async def _begin_anew(self) -> None:
        await self._begun.wait()
        raise Begun("the outbox was begun anew")

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
                    await self._on_welcome(msgspec.msgpack.decode(payload, type=Welcome))
                elif topic == topics.command(self.gateway) and message.retain:
                    log.error("a command is retained, which commands never are; it is not carried out")
                elif topic == topics.command(self.gateway):
                    self._on_command(msgspec.msgpack.decode(payload, type=Command))
                elif topic == topics.desired(self.gateway):
                    self._on_desired(msgspec.msgpack.decode(payload, type=DesiredState), payload)
                elif topic == topics.INGEST:
                    self._on_ingest(msgspec.msgpack.decode(payload, type=IngestState))
            except msgspec.MsgspecError as error:
                log.error("message from the cloud can't be read", extra={"topic": topic, "error": str(error)})

    def _on_ingest(self, state: IngestState) -> None:
        self._ingest_heard = True
        if state.online == self.ingest_online and state.session == self._ingest:
            return  # it says again that it is there
        if not state.online and state.session != self._ingest:
            return  # the death of an earlier one, come late
        self.ingest_online = state.online
        self._ingest = state.session
        self._forget()
        if state.online:
            # A new ingest may not have what the old one had in its hands, and may have another disk: ask first.
            self._ask()

    def _ask(self) -> None:
        self._ask_since_ms = self._monotonic_ms()
        self._say_state.set()

    async def _on_welcome(self, welcome: Welcome) -> None:
        asked_ms = self._asked.pop(welcome.to_ms, None)
        if welcome.session != self._session or asked_ms is None:
            return
        self.fenced = welcome.fenced
        if welcome.fenced:
            raise Fenced
        await self._on_time(welcome.at_ms, asked_ms, self._monotonic_ms())
        await self._acks.write()  # what the cloud wants again may be what it had acknowledged
        outbox = self._writer.outbox
        held = held_lanes(welcome, outbox.epoch)
        frames = {place: await self._writer.call(outbox.read, *place) for place in questioned(held, outbox.lanes)}
        if is_copied(held, outbox.lanes, frames):
            log.error("the cloud holds other frames of this epoch; beginning a new one", extra={"epoch": outbox.epoch})
            self._forget()
            again_after = {lane: there.last_seq for lane, there in held.items()}
            await self._writer.call(outbox.begin_epoch, "copied", again_after)
            if self._ask_since_ms is None:
                self._ask_since_ms = asked_ms
        else:
            for lane, there in held.items():
                if there.wanted:
                    log.warning("the cloud asks for frames again", extra={"lane": lane, "ranges": there.wanted[:8]})
                    await self._writer.call(outbox.wanted, there.epoch, lane, there.wanted)
                    if self._ask_since_ms is None:
                        self._window.backlog(lane, await self._writer.call(outbox.unacked, lane))
                        self._work.set()
        if self._ask_since_ms is not None and self.ingest_online:
            await self._begin()

    async def _begin(self) -> None:
        """Send: everything unacked is the backlog, what is committed from now on is fresh."""
        self._ask_since_ms = None
        self._forget()
        self._window.link_up()
        for lane in topics.LANES:
            self._window.backlog(lane, await self._writer.call(self._writer.outbox.unacked, lane))
        self._work.set()
        self._earlier.begin()

    async def _on_ack(self, ack: FrameAck) -> None:
        if ack.epoch != self._writer.outbox.epoch:
            await self._earlier.on_ack(ack)
            return
        if self._ask_since_ms is not None or not self.ingest_online:
            return  # it may be meant for another outbox of which this one is a copy; what it says is asked again
        if ack.conflicts:
            self.conflicts += len(ack.conflicts)
            log.error("the cloud holds other frames under our numbers", extra={"lane": ack.lane, "seqs": ack.conflicts})
            self._forget()
            self._ask()
            return
        ranges = [*ack.ranges, *((seq, seq) for seq in ack.rejected)]
        landed, lost = self._window.acked(ack.lane, ranges, self._monotonic_ms())
        self.frames_again += len(lost)
        self.frames_acked += len(landed)
        if landed and log.isEnabledFor(logging.DEBUG):
            names = [frame_name(self.gateway, ack.epoch, *key) for key in landed]
            log.debug("frames acknowledged", extra={"frames": names})
        self._work.set()
        self._checkpoint("ack_come")
        self._acks.note(ack.epoch, ack.lane, ranges)

    async def _send(self, client: aiomqtt.Client, tasks: asyncio.TaskGroup) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self.ingest_online and (key := self._window.next(self._monotonic_ms())) is not None:
                payload = self._cache.pop(key, None)
                if payload is not None:
                    self._cache_bytes -= len(payload)
                else:
                    payload = await self._writer.call(self._writer.outbox.read_sound, key.lane, key.seq)
                if payload is None:  # dropped by policy since
                    self._window.gone(key)
                    continue
                tasks.create_task(self._publish(client, key, payload))

    async def _publish(self, client: aiomqtt.Client, key: FrameKey, payload: bytes) -> None:
        self._checkpoint("before_publish")
        await self._say(client, topics.up(self.gateway, key.lane), payload)
        self.frames_sent += 1
        self.bytes_sent += len(payload)
        if log.isEnabledFor(logging.DEBUG):
            name = frame_name(self.gateway, self._writer.outbox.epoch, *key)
            log.debug("frame sent", extra={"frame": name, "bytes": len(payload)})
        self._checkpoint("after_publish")

    async def _say(
        self, client: aiomqtt.Client, topic: str, payload: bytes, wants_answer: bool = True, retain: bool = False
    ) -> None:
        self._hearing.said(self._monotonic_ms(), wants_answer)
        patience_s = max(PUBLISH_S, 2 * self._window.answer_ms / 1000)
        await client.publish(topic, payload, qos=1, retain=retain, timeout=patience_s)
        self._hearing.confirmed()

    async def _resend(self) -> None:
        while True:
            await asyncio.sleep(min(self._window.resend_after_ms, LATE_LOOK_MS_MAX) / 4000)
            if late := self._window.overdue(self._monotonic_ms()):
                self.frames_again += len(late)
                log.warning("acks are late, sending again", extra={"frames": len(late)})
                self._work.set()
