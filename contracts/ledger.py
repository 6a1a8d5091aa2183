"""The ledger's arithmetic: produced = stored + declared drops + still buffered, counted in samples. Pure.

A frame says how many samples it has and how many all earlier frames of its lane had, so the size of a gap is known
exactly. What is missing is still buffered if the gateway says that it holds it, or has not said anything about this
epoch since; else it is unexplained, which must never happen.
"""

from collections.abc import Sequence
from typing import NamedTuple

from contracts.messages import LaneState

BY_POLICY = frozenset({"size_cap", "age_cap", "disk_floor", "frame_damaged"})
"""Reasons of drops that a gateway counts in ``LaneState.dropped``."""


class Held(NamedTuple):
    """Seqs first..last of a lane that the cloud holds. samples in them, samples_before them in the lane."""

    first_seq: int
    last_seq: int
    samples: int
    samples_before: int


class Drop(NamedTuple):
    """Seqs first..last that were given up, and declared. samples 0: as many as the gap holds."""

    first_seq: int
    last_seq: int
    samples: int
    reason: str


class Gap(NamedTuple):
    """Seqs first..last that the cloud does not hold."""

    first_seq: int
    last_seq: int
    samples: int


class LaneLedger(NamedTuple):
    """One lane of one epoch, in samples. unexplained is 0 when all is well."""

    first_seq: int
    last_seq: int
    produced: int
    stored: int
    declared_dropped: int
    buffered: int
    unexplained: int
    gaps: tuple[Gap, ...]


def lane_ledger(held: Sequence[Held], drops: Sequence[Drop], reported: LaneState | None) -> LaneLedger:
    """Add up one lane.

    held      what the frame log holds, ascending and disjoint
    drops     what was declared dropped or quarantined; a drop of a frame that the cloud holds after all counts nothing
    reported  the gateway's last word on this lane, if it was about this epoch
    """
    stored = sum(each.samples for each in held)
    last_seq = max([each.last_seq for each in held] + [reported.last_seq if reported else 0], default=0)
    last_seq = max([last_seq, *(drop.last_seq for drop in drops)])
    known = max([each.samples_before + each.samples for each in held], default=0)
    # A drop past everything that is held was produced too, also when the gateway has not said so yet.
    held_to = max([each.last_seq for each in held], default=0)
    for drop in _distinct(drops):
        if drop.first_seq > held_to:
            known += drop.samples
        elif drop.last_seq > held_to:  # of a file that is gone with everything: some of it had come
            known = max(known, _samples_before(held, drop.first_seq) + drop.samples)
    produced = max(known, reported.produced if reported else 0)
    gaps = _gaps(held, last_seq, produced)
    declared = buffered = unexplained = 0
    unnamed = _unnamed(drops, reported) if reported else 0
    left = {drop: drop.samples - _held_within(held, drop) for drop in _distinct(drops)}  # what each may account for
    for gap in gaps:
        bare = _without(gap, drops)
        dropped = 0
        for drop in left:
            if drop.first_seq <= gap.last_seq and gap.first_seq <= drop.last_seq:
                part = max(0, min(gap.samples - dropped, left[drop]))
                left[drop] -= part
                dropped += part
        if not bare:  # every frame of it was given up; the gap knows best how much that was
            declared += gap.samples
            continue
        declared += dropped
        if reported is None or bare[-1][1] >= reported.oldest_unacked_seq:
            buffered += gap.samples - dropped
        else:
            told = min(gap.samples - dropped, unnamed)
            unnamed -= told
            declared += told
            unexplained += gap.samples - dropped - told
    # Under numbers that the cloud holds with other bytes (a copied outbox) the gateway may hold frames of its own.
    beside = max(0, produced - stored - declared - buffered - unexplained)
    told = min(beside, reported.buffered) if reported else 0
    buffered += told
    unexplained += beside - told
    first_seq = 1 if last_seq else 0
    return LaneLedger(first_seq, last_seq, produced, stored, declared, buffered, unexplained, tuple(gaps))


def _unnamed(drops: Sequence[Drop], reported: LaneState) -> int:
    """What the gateway has counted as dropped while the records that name the ranges are still on their way.

    Records may overtake one another, and its word: what it held unacknowledged when it spoke it has dropped since then, and
    not counted.
    """
    named = sum(
        drop.samples
        for drop in _distinct(drops)
        if drop.reason in BY_POLICY and drop.first_seq < reported.oldest_unacked_seq
    )
    return max(0, reported.dropped - named)


def _samples_before(held: Sequence[Held], seq: int) -> int:
    """How many samples the frames before this one have, at least."""
    return max(
        [each.samples_before + (each.samples if each.last_seq < seq else 0) for each in held if each.first_seq <= seq],
        default=0,
    )


def _held_within(held: Sequence[Held], drop: Drop) -> int:
    """Samples of a drop that the cloud holds all the same, as far as its ranges tell: those wholly within it."""
    return sum(each.samples for each in held if drop.first_seq <= each.first_seq and each.last_seq <= drop.last_seq)


def _distinct(drops: Sequence[Drop]) -> list[Drop]:
    """Without those within another one: declared again as a part of it."""
    found: list[Drop] = []
    for drop in sorted(drops, key=lambda drop: (drop.first_seq, -drop.last_seq)):
        if not found or drop.last_seq > found[-1].last_seq:
            found.append(drop)
    return found


def _without(gap: Gap, drops: Sequence[Drop]) -> list[tuple[int, int]]:
    """The seqs of a gap that no drop names, as ranges."""
    bare = []
    first = gap.first_seq
    for drop in sorted(drops):
        if drop.last_seq < first or drop.first_seq > gap.last_seq:
            continue
        if drop.first_seq > first:
            bare.append((first, drop.first_seq - 1))
        first = drop.last_seq + 1
    if first <= gap.last_seq:
        bare.append((first, gap.last_seq))
    return bare


def _gaps(held: Sequence[Held], last_seq: int, produced: int) -> list[Gap]:
    gaps = []
    seq, samples = 1, 0  # what is accounted for up to here
    for each in held:
        if each.first_seq > seq:
            gaps.append(Gap(seq, each.first_seq - 1, each.samples_before - samples))
        seq, samples = each.last_seq + 1, each.samples_before + each.samples
    if last_seq >= seq:
        gaps.append(Gap(seq, last_seq, produced - samples))
    return gaps
