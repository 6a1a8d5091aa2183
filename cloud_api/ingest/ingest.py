"""From the cloud's broker to the frame log: check, commit, then acknowledge. What can't be taken goes to quarantine."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import cast

import aiomqtt
import msgspec

from cloud_api.framelog import FrameLog, IncomingFrame, Outcome
from cloud_api.framelog.coverage import Coverage, StreamKey
from cloud_api.ingest.fair_queue import Arrival, FairQueue
from cloud_api.ingest.presence import GatewayPresence
from cloud_api.ingest.session import BrokerAddress, BrokerSession
from cloud_api.ingest.welcome import Question, Welcomes
from cloud_api.ledger import LedgerBook
from cloud_api.quarantine import Quarantine
from contracts import topics
from contracts.frame import FrameError, FrameHeader, decode_columns, frame_name, read_header
from contracts.messages import FrameAck, GatewayState, Lane
from contracts.mqtt_client import MqttClient

log = logging.getLogger(__name__)
_state_reader = msgspec.msgpack.Decoder(GatewayState)

BATCH_FRAMES = 200
BATCH_BYTES = 1_048_576
"""A commit takes no more at once: nobody waits long behind what another gateway has sent."""
RETRY_S = 0.5
REJECTED_KEPT = 64
TAKEN_MAX = 64

Results = dict[StreamKey, tuple[list[int], list[int]]]
"""Lane -> (seqs of a batch that are stored with their bytes, seqs that are there with others)."""


async def _never() -> bool:
    return False


@dataclass
class IngestCounts:
    """What ingest has done since it started."""

    frames: int = 0
    samples: int = 0
    duplicates: int = 0
    conflicts: int = 0
    quarantined: int = 0
    refused_quota: int = 0
    refused_full: int = 0
    refused_shut_out: int = 0


def up_filters(share: str) -> list[tuple[str, int]]:
    """What an ingest subscribes to: topic filters, each with its QoS.

    share  name of the group of workers of which each message reaches one; "": there is one ingest
    A worker hears the states of all gateways, to know who is there; those that reach it with QoS 1 are for it to answer.
    """
    if not share:
        return [(topics.ALL_UP, 1), (topics.ALL_STATE, 1)]
    shared = f"$share/{share}/"
    return [(shared + topics.ALL_UP, 1), (shared + topics.ALL_STATE, 1), (topics.ALL_STATE, 0)]


class Ingest:
    """One ingest, of one or of many. ``run`` holds the session with the broker and commits what comes.

    mqtt        makes a session's client
    share       see ``up_filters``
    timed       gives a context that measures one commit
    is_shut_out  a gateway without a certificate that holds: what it sends is neither heard nor stored
    is_behind   does what people see lag behind what is committed? Then fewer of those who come back are let in at once
    checkpoint  told the named places at which a test may kill the program
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
        mqtt: Callable[..., aiomqtt.Client] = MqttClient,
        share: str = "",
        checkpoint: Callable[[str], None] = lambda place: None,
        timed: Callable[[], AbstractContextManager[object]] = nullcontext,
        is_shut_out: Callable[[str], bool] = lambda gateway: False,
        is_behind: Callable[[], Awaitable[bool]] = _never,
    ) -> None:
        self.failing = ""
        self.counts = IngestCounts()
        self.session = BrokerSession(broker, up_filters(share), self._take, True, clock, jitter, mqtt)
        self._framelog = framelog
        self._quarantine = quarantine
        self._ledger = ledger
        self._presence = presence
        self._clock = clock
        self._checkpoint = checkpoint
        self._timed = timed
        self._is_shut_out = is_shut_out
        self._arrived = FairQueue()
        self._welcomes = Welcomes(framelog, ledger, clock, presence.is_fenced, self.session.tell, is_behind)
        self._rejected: dict[StreamKey, list[int]] = {}
        self._encoder = msgspec.msgpack.Encoder()

    @property
    def queued(self) -> int:
        """Frames that wait for their commit."""
        return self._arrived.messages

    @property
    def asking(self) -> int:
        """Gateways that wait for the answer to their state."""
        return self._welcomes.waiting

    async def run(self) -> None:
        """Stay connected and commit until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._commit_forever(), name="commit frames")
            tasks.create_task(self._welcomes.run(), name="answer gateways")
            tasks.create_task(self.session.run(), name="receive frames")

    def _take(self, topic: str, payload: bytes, qos: int) -> None:
        with contextlib.suppress(ValueError):
            if self._is_shut_out(topics.gateway_of(topic)):
                self.counts.refused_shut_out += 1
                return
        if topic.endswith("/state"):
            state = self._presence.take(topic, payload)
            if state is None or not (state.online and state.ask and qos):
                return  # else it is answered after the frames that came before it
        with contextlib.suppress(ValueError):
            self._arrived.put(Arrival(topics.gateway_of(topic), topic, payload, self._clock()))
        self.counts.refused_quota = self._arrived.refused
        self.counts.refused_full = self._arrived.refused_full

    async def _commit_forever(self) -> None:
        while True:
            batch = await self._arrived.take(BATCH_FRAMES, BATCH_BYTES)
            try:
                await self._work_off(batch)
            except Exception as error:  # noqa: BLE001  whatever the database says, the answer is the same: no ack
                self.failing = str(error)
                log.error("frames can't be committed", extra={"error": str(error), "messages": len(batch)})
                await asyncio.sleep(RETRY_S)
            else:
                self.failing = ""

    async def _work_off(self, batch: list[Arrival]) -> None:
        """Commit, then answer. Whatever it raises: nothing more is acknowledged, the gateways keep it and send it again."""
        asking = [message for message in batch if message.topic.endswith("/state")]
        frames, results = await self._check([message for message in batch if not message.topic.endswith("/state")])
        if frames:
            self._checkpoint("before_commit")
            await self._commit(frames, results)
            self._welcomes.committed(frame.header.gateway for frame in frames)
            self._checkpoint("after_commit")
        if results:
            await self._acknowledge(results)
        if frames:
            self._checkpoint("after_ack")
        for gateway, _, payload, at_ms in asking:
            self._welcomes.asked(gateway, Question(_state_reader.decode(payload), at_ms))

    async def _check(self, batch: list[Arrival]) -> tuple[list[IncomingFrame], Results]:
        """The frames that may be committed, and the lanes in which one was rejected for good."""
        frames: list[IncomingFrame] = []
        results: Results = {}
        for gateway, topic, payload, _ in batch:
            now_ms = self._clock()
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

    async def _commit(self, frames: list[IncomingFrame], results: Results) -> None:
        with self._timed():
            outcomes = await self._framelog.append(frames)
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

    async def _acknowledge(self, results: Results) -> None:
        coverage = await self._framelog.coverage(results)
        await asyncio.gather(*[self._ack(key, coverage[key], *results[key]) for key in sorted(results)])

    async def _ack(self, key: StreamKey, coverage: Coverage, taken: list[int], conflicts: list[int]) -> None:
        ack = FrameAck(
            epoch=key.epoch,
            lane=cast(Lane, key.lane),
            ranges=coverage.ack_ranges(),
            rejected=self._rejected.get(key, []),
            conflicts=conflicts,
            taken=taken if len(taken) <= TAKEN_MAX else [],
        )
        await self.session.tell(topics.ack(key.gateway), self._encoder.encode(ack))
        if log.isEnabledFor(logging.DEBUG):
            log.debug("acknowledgement sent", extra={"frames": [frame_name(*key, seq) for seq in taken]})
