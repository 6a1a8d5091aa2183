"""The answer to a gateway that asks: what the cloud holds of it, what it lacks of what it had acknowledged, the time."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple, cast

import msgspec

from cloud_api.framelog import FrameLog
from cloud_api.framelog.coverage import Coverage, StreamKey
from cloud_api.ingest.admission import Admission, frames_to_send
from cloud_api.ledger import LedgerBook
from contracts import topics
from contracts.ledger import Drop
from contracts.messages import GatewayState, HeldLane, Lane, Welcome
from device_registry import ValueRefused

log = logging.getLogger(__name__)

LANES_MAX = 64
"""Lanes of living and ended epochs that a gateway may ask for at once."""
WANTED_MAX = 64
"""Ranges asked for at once; the rest with the next answer."""
ANSWERED_MAX = 50
"""Gateways answered at once: the newest frame of each of their lanes is in memory meanwhile."""
LOOK_S = 0.1
"""So often who waits is looked at, for places that time has freed."""
UNANSWERED_S = 0.5
"""A pause after answers that could not be given."""


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


async def held_lanes(
    asking: Mapping[str, GatewayState], framelog: FrameLog, book: LedgerBook
) -> dict[str, list[HeldLane]]:
    """What is held of each of these gateways, in three queries for all of them; of LANES_MAX lanes of each."""
    asked = {gateway: state.lanes[:LANES_MAX] for gateway, state in asking.items()}
    drops = await book.drops(*asking)
    keys = {StreamKey(gateway, lane.epoch, lane.lane) for gateway, lanes in asked.items() for lane in lanes}
    coverage = await framelog.coverage(keys)
    newest = [(key, held.ranges[-1].last_seq) for key, held in coverage.items() if held.ranges]
    frames = await framelog.find(newest)
    answers: dict[str, list[HeldLane]] = {}
    for gateway, its in asked.items():
        # Declared drops travel in the urgent lane: while some of it is on its way, what is missing may be declared.
        settled = all(lane.oldest_unacked_seq > lane.last_seq for lane in its if lane.lane == "urgent")
        lanes = answers[gateway] = []
        for lane in its:
            key = StreamKey(gateway, lane.epoch, lane.lane)
            wanted_below = lane.oldest_unacked_seq if settled or lane.lane == "urgent" else 0
            held = held_lane(key, coverage[key], drops.get(key, []), wanted_below)
            if (frame := frames.get((key, held.last_seq))) is not None:
                held.last_digest = blake2b(frame, digest_size=16).digest()
            lanes.append(held)
    return answers


class Question(NamedTuple):
    """A state that asks, and when it came, ms UTC."""

    state: GatewayState
    at_ms: int


class Welcomes:
    """Answers those who ask, some at a time, beside the commits: when all come back at once, what they say is not held up
    by what they ask. Who has frames to send waits for the ``Admission``. Of each gateway only the newest question waits.

    fenced     (gateway, instance) -> must it wait because another instance of it is alive?
    publish    (topic, payload) to the gateway
    is_behind  does what people see lag behind what is committed?
    """

    def __init__(
        self,
        framelog: FrameLog,
        book: LedgerBook,
        clock: Callable[[], int],
        fenced: Callable[[str, str], bool],
        publish: Callable[[str, bytes], Awaitable[bool]],
        is_behind: Callable[[], Awaitable[bool]],
    ) -> None:
        self._framelog = framelog
        self._book = book
        self._clock = clock
        self._fenced = fenced
        self._publish = publish
        self._is_behind = is_behind
        self._admission = Admission()
        self._asking: dict[str, Question] = {}  # has nothing to send, and need not wait
        self._waiting: dict[str, Question] = {}  # for a place
        self._some = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Gateways that wait for their answer."""
        return len(self._asking) + len(self._waiting)

    def asked(self, gateway: str, question: Question) -> None:
        """This gateway asks; what came before it is committed."""
        if frames_to_send(question.state):
            self._asking.pop(gateway, None)
            self._waiting[gateway] = question
        else:
            self._waiting.pop(gateway, None)
            self._asking[gateway] = question
        self._some.set()

    def committed(self, gateways: Iterable[str]) -> None:
        """Of these gateways a frame each time is in the log."""
        for gateway in gateways:
            if self._admission.committed(gateway):
                self._some.set()

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            self._some.clear()
            some: dict[str, Question] = {}
            try:
                some = self._next(await self._is_behind()) if self.waiting else {}
                if some:
                    await self._answer(some)
            except ValueRefused:  # of one of them, and the others are not to wait for it
                for gateway, question in some.items():
                    await self._answer_one(gateway, question)
            except Exception as error:  # noqa: BLE001  whatever the database says: they are answered later
                log.error("gateways can't be answered", extra={"gateways": len(some), "error": str(error)})
                for gateway in some.keys() - self._asking.keys() - self._waiting.keys():
                    self.asked(gateway, some[gateway])
                await asyncio.sleep(UNANSWERED_S)
            if not some:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S if self._waiting else None):
                        await self._some.wait()

    def _next(self, behind: bool) -> dict[str, Question]:
        """Those whose turn it is, in the order in which they asked first; they wait no longer."""
        now_ms = self._clock()
        room = min(self._admission.room(now_ms, behind), ANSWERED_MAX) if self._waiting else 0
        some = {gateway: self._waiting.pop(gateway) for gateway in [*islice(self._waiting, room)]}
        for gateway, question in some.items():
            self._admission.let_in(gateway, frames_to_send(question.state), now_ms)
        for gateway in [*islice(self._asking, ANSWERED_MAX - len(some))]:
            some[gateway] = self._asking.pop(gateway)
        return some

    async def _answer_one(self, gateway: str, question: Question) -> None:
        try:
            await self._answer({gateway: question})
        except Exception as error:  # noqa: BLE001  as above
            log.error("a gateway can't be answered", extra={"gateway": gateway, "error": str(error)})

    async def _answer(self, asking: Mapping[str, Question]) -> None:
        states = {gateway: question.state for gateway, question in asking.items()}
        held = await held_lanes(states, self._framelog, self._book)
        await asyncio.gather(*[self._tell(gateway, each, held[gateway]) for gateway, each in asking.items()])

    async def _tell(self, gateway: str, question: Question, lanes: list[HeldLane]) -> None:
        state, now_ms = question.state, self._clock()
        fenced = self._fenced(gateway, state.instance)
        if wanted := [lane for lane in lanes if lane.wanted]:
            log.warning("asking for frames again", extra={"gateway": gateway, "lanes": msgspec.to_builtins(wanted)})
        answer = Welcome(
            session=state.session, at_ms=now_ms, to_ms=state.at_ms, waited_ms=max(0, now_ms - question.at_ms),
            lanes=lanes, fenced=fenced,
        )  # fmt: skip
        await self._publish(topics.welcome(gateway), msgspec.msgpack.encode(answer))
