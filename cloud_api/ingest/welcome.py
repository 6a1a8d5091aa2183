"""The answer to a gateway that asks: what the cloud holds of it, what it lacks of what it had acknowledged, the time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import cast

import msgspec

from cloud_api.framelog import FrameLog
from cloud_api.framelog.coverage import Coverage, StreamKey
from cloud_api.ledger import LedgerBook
from contracts import topics
from contracts.ledger import Drop
from contracts.messages import GatewayState, HeldLane, Lane, Welcome

log = logging.getLogger(__name__)

WANTED_MAX = 64
"""Ranges asked for at once; the rest with the next answer."""
UNANSWERED_S = 0.2
"""A pause after an answer that could not be given."""


def held_lane(key: StreamKey, coverage: Coverage, drops: Sequence[Drop], wanted_below: int) -> HeldLane:
    """What is held of a lane. Wanted: everything before the gateway's oldest unacknowledged frame that is not here.

    After a restore from an older backup that is what came since. What was declared as dropped is not wanted.
    """
    known = sorted(
        [(held.first_seq, held.last_seq) for held in coverage.ranges] + [(d.first_seq, d.last_seq) for d in drops]
    )
    wanted: list[tuple[int, int]] = []
    first = 1
    for low, high in [*known, (wanted_below, wanted_below)]:
        end = min(low, wanted_below) - 1
        if first <= end:
            wanted.append((first, end))
        first = max(first, high + 1)
    last_seq = coverage.ranges[-1].last_seq if coverage.ranges else 0
    return HeldLane(
        epoch=key.epoch,
        lane=cast(Lane, key.lane),
        last_seq=last_seq,
        ranges=coverage.ack_ranges(),
        wanted=wanted[:WANTED_MAX],
    )


async def welcome_for(
    gateway: str, state: GatewayState, framelog: FrameLog, book: LedgerBook, now_ms: int, fenced: bool
) -> Welcome:
    """The answer to this state of this gateway."""
    drops = await book.drops(gateway)
    # Declared drops travel in the urgent lane: while some of it is on its way, what is missing may be declared already.
    settled = all(lane.oldest_unacked_seq > lane.last_seq for lane in state.lanes if lane.lane == "urgent")
    lanes = []
    for lane in state.lanes:
        key = StreamKey(gateway, lane.epoch, lane.lane)
        coverage = await framelog.coverage(key)
        wanted_below = lane.oldest_unacked_seq if settled or lane.lane == "urgent" else 0
        held = held_lane(key, coverage, drops.get(key, []), wanted_below)
        if held.last_seq and (frame := await framelog.find(key, held.last_seq)) is not None:
            held.last_digest = blake2b(frame, digest_size=16).digest()
        lanes.append(held)
    return Welcome(session=state.session, at_ms=now_ms, to_ms=state.at_ms, lanes=lanes, fenced=fenced)


class Welcomes:
    """Answers those who ask, one after another, beside the commits: when all come back at once, what they say is not
    held up by what they ask. Of each gateway only the newest question waits.

    fenced   (gateway, instance) -> must it wait because another instance of it is alive?
    publish  (topic, payload) to the gateway
    """

    def __init__(
        self,
        framelog: FrameLog,
        book: LedgerBook,
        clock: Callable[[], int],
        fenced: Callable[[str, str], bool],
        publish: Callable[[str, bytes], Awaitable[bool]],
    ) -> None:
        self._framelog = framelog
        self._book = book
        self._clock = clock
        self._fenced = fenced
        self._publish = publish
        self._asking: dict[str, GatewayState] = {}
        self._some = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Gateways that wait for their answer."""
        return len(self._asking)

    def asked(self, gateway: str, state: GatewayState) -> None:
        """This state asks; what came before it is committed."""
        self._asking[gateway] = state
        self._some.set()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            self._some.clear()
            while self._asking:
                gateway = next(iter(self._asking))
                state = self._asking.pop(gateway)
                try:
                    await self._answer(gateway, state)
                except Exception as error:  # noqa: BLE001  whatever the database says: it is not answered, and asks again
                    log.error("a gateway can't be answered", extra={"gateway": gateway, "error": str(error)})
                    await asyncio.sleep(UNANSWERED_S)
            await self._some.wait()

    async def _answer(self, gateway: str, state: GatewayState) -> None:
        fenced = self._fenced(gateway, state.instance)
        answer = await welcome_for(gateway, state, self._framelog, self._book, self._clock(), fenced)
        if wanted := [lane for lane in answer.lanes if lane.wanted]:
            log.warning("asking for frames again", extra={"gateway": gateway, "lanes": msgspec.to_builtins(wanted)})
        await self._publish(topics.welcome(gateway), msgspec.msgpack.encode(answer))
