"""Sends what is left of ended epochs: a few frames at a time, until each is answered for."""

import asyncio
import logging
from collections.abc import Callable

import aiomqtt

from contracts import topics
from contracts.messages import FrameAck
from edge_agent.outbox.epochs import EarlierFrame
from edge_agent.outbox.framing import CommittedFrame
from edge_agent.outbox.writer import OutboxWriter

log = logging.getLogger(__name__)

AT_ONCE = 16


class EarlierSender:
    """Frames of ended epochs are few and rare; they go beside the window, which knows the living epoch only."""

    def __init__(
        self,
        gateway: str,
        writer: OutboxWriter,
        resend_after_ms: int,
        committed: Callable[[list[CommittedFrame]], None],
    ) -> None:
        self._gateway = gateway
        self._writer = writer
        self._resend_after_s = resend_after_ms / 1000
        self._committed = committed
        self._open: dict[tuple[str, str, int], EarlierFrame] = {}
        self._answered = asyncio.Event()
        self._again: list[EarlierFrame] = []
        self._may_send = asyncio.Event()

    def begin(self) -> None:
        """The cloud takes frames, and there may be some."""
        self._may_send.set()
        self._answered.set()

    def look_again(self) -> None:
        """There may be some more."""
        self._answered.set()

    async def run(self, client: aiomqtt.Client) -> None:
        """Send until cancelled."""
        outbox = self._writer.outbox
        self._may_send.clear()
        await self._may_send.wait()
        while True:
            self._answered.clear()
            frames = await self._writer.call(outbox.sound_earlier, AT_ONCE)
            if not frames:
                await self._answered.wait()
                continue
            self._again += [frame for frame in frames if frame.again]
            self._open = {(f.epoch, f.lane, f.seq): f for f in frames if not f.again}
            for frame in list(self._open.values()):
                await client.publish(topics.up(self._gateway, frame.lane), frame.payload, qos=1)
            try:
                async with asyncio.timeout(self._resend_after_s):
                    while self._open and not self._again:
                        await self._answered.wait()
                        self._answered.clear()
            except TimeoutError:
                log.warning("frames of an earlier epoch are not answered", extra={"frames": len(self._open)})
            again, self._again = self._again, []
            for frame in again:
                self._committed(await self._writer.call(outbox.epochs.frame_again, frame))

    async def on_ack(self, ack: FrameAck) -> None:
        """An answer for an ended epoch."""
        taken = {*ack.taken, *ack.rejected}
        done = []
        for key, frame in list(self._open.items()):
            if key[:2] != (ack.epoch, ack.lane):
                continue
            if frame.seq in ack.conflicts:
                self._again.append(self._open.pop(key))
            elif frame.seq in taken or (not frame.doubt and any(a <= frame.seq <= b for a, b in ack.ranges)):
                done.append(self._open.pop(key))
        if done:
            await self._writer.acked(ack.lane, [(frame.seq, frame.seq) for frame in done], ack.epoch)
        self._answered.set()
