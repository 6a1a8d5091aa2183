"""Frames of the living epoch up to the cloud, as the window says, until each is acknowledged."""

import asyncio
import logging
from collections.abc import Callable

from contracts import topics
from contracts.frame import frame_name
from contracts.messages import FrameAck
from edge_agent.outbox.framing import CommittedFrame
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.uplink.acks import AckNotes
from edge_agent.uplink.line import Line
from edge_agent.uplink.window import FrameKey, SendWindow

log = logging.getLogger(__name__)

CACHE_BYTES_MAX = 524_288
"""Fresh frames kept in memory until they are sent, so that they need not be read from disk."""
LATE_LOOK_MS_MAX = 4_000


class FrameSender:
    """Sends between ``begin`` and ``stop``."""

    def __init__(
        self,
        gateway: str,
        window: SendWindow,
        writer: OutboxWriter,
        acks: AckNotes,
        monotonic_ms: Callable[[], int],
        checkpoint: Callable[[str], None],
    ) -> None:
        self.is_sending = False
        self.frames_sent = 0
        self.frames_sent_again = 0
        self.frames_acked = 0
        self.bytes_sent = 0
        self._gateway = gateway
        self._window = window
        self._writer = writer
        self._acks = acks
        self._monotonic_ms = monotonic_ms
        self._checkpoint = checkpoint
        self._cache: dict[FrameKey, bytes] = {}
        self._cache_bytes = 0
        self._work = asyncio.Event()

    async def begin(self) -> None:
        """Send: everything unacked is the backlog, what is committed from now on is fresh."""
        self.stop()
        self.is_sending = True
        self._window.link_up()
        for lane in topics.LANES:
            await self.look_back(lane)

    async def look_back(self, lane: str) -> None:
        """What is unacked in the outbox and not on its way is the lane's backlog."""
        self._window.backlog(lane, await self._writer.call(self._writer.outbox.unacked, lane))
        self._work.set()

    def stop(self) -> None:
        """Nothing is in flight, nothing is to be sent until ``begin``."""
        self.is_sending = False
        self._window.link_lost()
        self._cache.clear()
        self._cache_bytes = 0

    def committed(self, frames: list[CommittedFrame]) -> None:
        """These frames are on disk now."""
        if not self.is_sending:
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

    def acked(self, ack: FrameAck) -> None:
        """The cloud holds what this says, or will never take it."""
        ranges = [*ack.ranges, *((seq, seq) for seq in ack.rejected)]
        landed, lost = self._window.acked(ack.lane, ranges, self._monotonic_ms())
        self.frames_sent_again += len(lost)
        self.frames_acked += len(landed)
        if landed and log.isEnabledFor(logging.DEBUG):
            names = [frame_name(self._gateway, ack.epoch, *key) for key in landed]
            log.debug("frames acknowledged", extra={"frames": names})
        self._work.set()
        self._checkpoint("ack_come")
        self._acks.note(ack.epoch, ack.lane, ranges)

    async def run(self, line: Line, tasks: asyncio.TaskGroup) -> None:
        """Send what the window gives, in ``tasks``, until cancelled."""
        while True:
            await self._work.wait()
            self._work.clear()
            while (key := self._window.next(self._monotonic_ms())) is not None:
                payload = self._cache.pop(key, None)
                if payload is not None:
                    self._cache_bytes -= len(payload)
                else:
                    payload = await self._writer.call(self._writer.outbox.read_sound, key.lane, key.seq)
                if payload is None:  # dropped by policy since
                    self._window.gone(key)
                    continue
                tasks.create_task(self._publish(line, key, payload))

    async def _publish(self, line: Line, key: FrameKey, payload: bytes) -> None:
        self._checkpoint("before_publish")
        await line.say(topics.up(self._gateway, key.lane), payload)
        self.frames_sent += 1
        self.bytes_sent += len(payload)
        if log.isEnabledFor(logging.DEBUG):
            name = frame_name(self._gateway, self._writer.outbox.epoch, *key)
            log.debug("frame sent", extra={"frame": name, "bytes": len(payload)})
        self._checkpoint("after_publish")

    async def send_again(self) -> None:
        """See now and then which acks are late, until cancelled."""
        while True:
            await asyncio.sleep(min(self._window.resend_after_ms, LATE_LOOK_MS_MAX) / 4000)
            if late := self._window.overdue(self._monotonic_ms()):
                self.frames_sent_again += len(late)
                log.warning("acks are late, sending again", extra={"frames": len(late)})
                self._work.set()
