"""From the cloud's broker to the frame log: check, commit, then acknowledge. What can't be taken goes to quarantine."""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, cast

import aiomqtt
import msgspec

from cloud_api.framelog import FrameLog, IncomingFrame, Outcome
from cloud_api.framelog.coverage import StreamKey
from cloud_api.ingest.presence import GatewayPresence
from cloud_api.ingest.welcome import welcome_for
from cloud_api.ledger import LedgerBook
from cloud_api.quarantine import Quarantine
from contracts import topics
from contracts.frame import FrameError, FrameHeader, decode_columns, frame_name, read_header
from contracts.messages import FrameAck, GatewayState, IngestState, Lane

log = logging.getLogger(__name__)
_state_reader = msgspec.msgpack.Decoder(GatewayState)

BATCH_FRAMES = 200
QUEUE_FRAMES = 2_000
"""Frames that wait for their commit; more are not taken, and the gateways send them again."""
BACKOFF_S_MAX = 1.0
RETRY_S = 0.5
REJECTED_KEPT = 64
TAKEN_MAX = 64

Results = dict[StreamKey, tuple[list[int], list[int]]]
"""Lane -> (seqs of a batch that are stored with their bytes, seqs that are there with others)."""


class BrokerAddress(NamedTuple):
    """The cloud's broker."""

    host: str
    port: int
    username: str = ""
    password: str = ""


@dataclass
class IngestCounts:
    """What ingest has done since it started."""

    frames: int = 0
    samples: int = 0
    duplicates: int = 0
    conflicts: int = 0
    quarantined: int = 0
    refused_full: int = 0
    sessions: int = 0


class Ingest:
    """One ingest. ``run`` holds the session with the broker and commits what comes.

    mqtt   makes a session's client
    timed  gives a context that measures one commit
    """

    def __init__(
        self,
        broker: BrokerAddress,
        framelog: FrameLog,
        quarantine: Quarantine,
        ledger: LedgerBook,
        presence: GatewayPresence,
        clock: Callable[[], int],
        jitter: random.Random,
        mqtt: Callable[..., aiomqtt.Client] = aiomqtt.Client,
        timed: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> None:
        self.connected = False
        self.failing = ""
        self.counts = IngestCounts()
        self._broker = broker
        self._framelog = framelog
        self._quarantine = quarantine
        self._ledger = ledger
        self._presence = presence
        self._clock = clock
        self._jitter = jitter
        self._mqtt = mqtt
        self._timed = timed
        self._arrived: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(QUEUE_FRAMES)
        self._client: aiomqtt.Client | None = None
        self._rejected: dict[StreamKey, list[int]] = {}
        self._encoder = msgspec.msgpack.Encoder()

    @property
    def queued(self) -> int:
        """Frames that wait for their commit."""
        return self._arrived.qsize()

    async def run(self) -> None:
        """Stay connected and commit until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit_forever(), name="commit frames")
            tasks.create_task(self._stay_connected(), name="receive frames")

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """Publish with QoS 1 over this session. Returns whether the broker has taken it."""
        client = self._client
        if client is None:
            return False
        try:
            await client.publish(topic, payload, qos=1, retain=retain, timeout=5)
        except aiomqtt.MqttError as error:
            log.warning("message was not published", extra={"topic": topic, "error": str(error)})
            return False
        return True

    async def _stay_connected(self) -> None:
        attempt = 0
        while True:
            try:
                await self._hold_session()
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

    async def _hold_session(self) -> None:
        session = secrets.token_hex(8)
        death = self._encoder.encode(IngestState(online=False, session=session))
        async with self._mqtt(
            self._broker.host,
            self._broker.port,
            identifier=f"ingest-{session}",
            username=self._broker.username or None,
            password=self._broker.password or None,
            keepalive=15,
            timeout=5,
            max_inflight_messages=1_000,
            will=aiomqtt.Will(topics.INGEST, death, qos=1, retain=True),
            logger=logging.getLogger("cloud_api.ingest.mqtt"),
        ) as client:
            await client.subscribe([(topics.ALL_UP, 1), (topics.ALL_STATE, 1)])
            client.pending_calls_threshold = 1_000  # an acknowledgement a gateway and batch; no warning
            self._client = client
            self.connected = True
            self.counts.sessions += 1
            birth = IngestState(online=True, session=session, at_ms=self._clock())
            await client.publish(topics.INGEST, self._encoder.encode(birth), qos=1, retain=True)
            log.info("broker connected", extra={"session": session})
            try:
                async for message in client.messages:
                    payload = message.payload if isinstance(message.payload, bytes) else b""
                    self._take(str(message.topic), payload)
            except asyncio.CancelledError:
                with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
                    async with asyncio.timeout(1):
                        await client.publish(topics.INGEST, death, qos=1, retain=True)
                raise

    def _take(self, topic: str, payload: bytes) -> None:
        if topic.endswith("/state") and not self._heard(topic, payload):
            return
        try:
            self._arrived.put_nowait((topic, payload))
        except asyncio.QueueFull:
            self.counts.refused_full += 1

    def _heard(self, topic: str, payload: bytes) -> bool:
        """A gateway's state. True when it asks for an answer, which is given after the frames that came before it."""
        try:
            state = _state_reader.decode(payload)
            self._presence.heard(topics.gateway_of(topic), state)
        except (ValueError, msgspec.MsgspecError) as error:
            log.warning("gateway state can't be read", extra={"topic": topic, "error": str(error)})
            return False
        return state.online and state.ask

    async def _commit_forever(self) -> None:
        while True:
            batch = [await self._arrived.get()]
            while len(batch) < BATCH_FRAMES and not self._arrived.empty():
                batch.append(self._arrived.get_nowait())
            asking = [message for message in batch if message[0].endswith("/state")]
            frames, results = await self._check([message for message in batch if not message[0].endswith("/state")])
            if frames and not await self._commit(frames, results):
                continue
            await self._acknowledge(results)
            for topic, payload in asking:
                await self._welcome(topics.gateway_of(topic), _state_reader.decode(payload))

    async def _check(self, batch: list[tuple[str, bytes]]) -> tuple[list[IncomingFrame], Results]:
        """The frames that may be committed, and the lanes in which one was rejected for good."""
        frames: list[IncomingFrame] = []
        results: Results = {}
        for topic, payload in batch:
            now_ms = self._clock()
            try:
                gateway = topics.gateway_of(topic)
            except ValueError:
                continue
            header: FrameHeader | None = None
            try:
                header = read_header(payload)
                if topic != topics.up(header.gateway, header.lane):
                    header = None
                    raise FrameError("gateway_mismatch", "the frame names another gateway or lane than its topic")
                decode_columns(payload)
            except FrameError as error:
                self.counts.quarantined += 1
                log.warning("frame refused", extra={"topic": topic, "reason": error.reason, "detail": error.detail})
                await self._quarantine.frame_refused(gateway, topic, error.reason, error.detail, now_ms, payload)
                if header is not None:
                    # The digest is right, so sending it again would bring the same bytes: it is declared lost.
                    await self._ledger.quarantined(header, now_ms)
                    key = StreamKey(header.gateway, header.epoch, header.lane)
                    self._rejected[key] = [*self._rejected.get(key, []), header.seq][-REJECTED_KEPT:]
                    results.setdefault(key, ([], []))
                continue
            frames.append(IncomingFrame(header, payload, now_ms))
        return frames, results

    async def _commit(self, frames: list[IncomingFrame], results: Results) -> bool:
        """Commit a batch. False: the log can't be written; nothing is acknowledged, and the gateways keep it."""
        try:
            with self._timed():
                outcomes = await self._framelog.append(frames)
        except Exception as error:  # noqa: BLE001  whatever the database says, the answer is the same: no ack
            self.failing = str(error)
            log.error("frame log can't be written", extra={"error": str(error)})
            await asyncio.sleep(RETRY_S)
            return False
        self.failing = ""
        for frame, outcome in zip(frames, outcomes, strict=True):
            header = frame.header
            taken, conflicts = results.setdefault(StreamKey(header.gateway, header.epoch, header.lane), ([], []))
            (conflicts if outcome is Outcome.CONFLICT else taken).append(header.seq)
            if outcome is Outcome.STORED:
                self.counts.frames += 1
                self.counts.samples += frame.header.samples
            elif outcome is Outcome.DUPLICATE:
                self.counts.duplicates += 1
            else:
                self.counts.conflicts += 1
                log.error("another frame has this key", extra={"frame": frame_name(*header[:4])})
        if log.isEnabledFor(logging.DEBUG):
            for frame, outcome in zip(frames, outcomes, strict=True):
                log.debug("frame logged", extra={"frame": frame_name(*frame.header[:4]), "outcome": outcome.value})
        return True

    async def _acknowledge(self, results: Results) -> None:
        for key in sorted(results):
            taken, conflicts = results[key]
            ack = FrameAck(
                epoch=key.epoch,
                lane=cast(Lane, key.lane),
                ranges=(await self._framelog.coverage(key)).ack_ranges(),
                rejected=self._rejected.get(key, []),
                conflicts=conflicts,
                taken=taken if len(taken) <= TAKEN_MAX else [],
            )
            is_sent = await self.publish(topics.ack(key.gateway), self._encoder.encode(ack))
            if log.isEnabledFor(logging.DEBUG):
                names = [frame_name(*key, seq) for seq in taken]
                log.debug("acknowledgement sent", extra={"frames": names, "broker_took_it": is_sent})

    async def _welcome(self, gateway: str, state: GatewayState) -> None:
        fenced = self._presence.is_fenced(gateway, state.instance)
        answer = await welcome_for(gateway, state, self._framelog, self._ledger, self._clock(), fenced)
        if wanted := [lane for lane in answer.lanes if lane.wanted]:
            log.warning("asking for frames again", extra={"gateway": gateway, "lanes": msgspec.to_builtins(wanted)})
        await self.publish(topics.welcome(gateway), self._encoder.encode(answer))
