"""The answer to a gateway that asks: what the cloud holds of it, what it lacks of what it had acknowledged, the time."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import cast

from cloud_api.framelog import FrameLog
from cloud_api.framelog.coverage import Coverage, StreamKey
from cloud_api.ledger import LedgerBook
from contracts.ledger import Drop
from contracts.messages import GatewayState, HeldLane, Lane, Welcome

WANTED_MAX = 64
"""Ranges asked for at once; the rest with the next answer."""


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
