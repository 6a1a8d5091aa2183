"""What a gateway learns from the cloud's welcome. Pure."""

from collections.abc import Mapping
from hashlib import blake2b

from contracts.messages import HeldLane, LaneState, Welcome


def held_lanes(welcome: Welcome, epoch: str) -> dict[str, HeldLane]:
    """What the cloud holds of the living epoch, by lane."""
    return {held.lane: held for held in welcome.lanes if held.epoch == epoch}


def questioned(held: Mapping[str, HeldLane], lanes: Mapping[str, LaneState]) -> list[tuple[str, int]]:
    """(lane, seq) of the frames whose bytes tell whether the cloud's frames are ours: unacked here, the newest there."""
    return [
        (lane, held[lane].last_seq)
        for lane, state in lanes.items()
        if lane in held and state.oldest_unacked_seq <= held[lane].last_seq <= state.last_seq
    ]


def is_copied(
    held: Mapping[str, HeldLane], lanes: Mapping[str, LaneState], frames: Mapping[tuple[str, int], bytes | None]
) -> bool:
    """Whether another outbox has gone on counting in this epoch: this one is a copy, or the original of one.

    The cloud holds numbers that were not given here, or another frame under a number that was.
    frames  the bytes of the ``questioned`` ones
    """
    if any(lane in held and held[lane].last_seq > state.last_seq for lane, state in lanes.items()):
        return True
    return any(
        payload is not None and held[lane].last_digest not in (b"", blake2b(payload, digest_size=16).digest())
        for (lane, _), payload in frames.items()
    )
