"""How much room the outbox may take, and why something has to go. Decides only; the outbox carries it out."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from contracts.ledger import BY_POLICY
from contracts.messages import Dropped


class Limits(NamedTuple):
    """What people chose.

    bytes_max       frames may take this much
    age_ms_max      unacknowledged frames older than this are given up; 0: never
    free_bytes_min  the disk keeps this much free, but never more than a sixteenth of it
    """

    bytes_max: int
    age_ms_max: int = 0
    free_bytes_min: int = 0


class Disk(NamedTuple):
    """The file system of the outbox. free_bytes: for us, with what is free inside the file."""

    size_bytes: int
    free_bytes: int


ACKED_SHARE = 0.25
"""Of the size cap, what acked frames may take."""
AGE_LOOK_MS = 10_000


def floor_bytes(limits: Limits, disk: Disk) -> int:
    """What has to stay free on this disk."""
    return min(limits.free_bytes_min, disk.size_bytes // 16)


def too_much(limits: Limits, held_bytes: int, disk: Disk) -> str:
    """Why something has to go, "" when nothing has to: ``size_cap`` or ``disk_floor``."""
    if held_bytes > limits.bytes_max:
        return "size_cap"
    if limits.free_bytes_min and disk.free_bytes < floor_bytes(limits, disk):
        return "disk_floor"
    return ""


def room_bytes(limits: Limits, unacked_bytes: int, acked_bytes: int, disk: Disk) -> int:
    """What may still come before unacknowledged frames have to go; acknowledged ones make room first."""
    by_cap = limits.bytes_max - unacked_bytes
    by_disk = disk.free_bytes + acked_bytes - floor_bytes(limits, disk)
    return max(0, min(by_cap, by_disk))


def ranges_of(seqs: list[int]) -> list[tuple[int, int]]:
    """Ascending seqs as (first, last) ranges without a hole."""
    ranges: list[tuple[int, int]] = []
    for seq in seqs:
        if ranges and ranges[-1][1] + 1 == seq:
            ranges[-1] = (ranges[-1][0], seq)
        else:
            ranges.append((seq, seq))
    return ranges


def without(first: int, last: int, held: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of first..last no range of ``held`` (ascending) covers."""
    left = []
    for low, high in held:
        if low > first:
            left.append((first, min(low - 1, last)))
        first = max(first, high + 1)
    if first <= last:
        left.append((first, last))
    return [(low, high) for low, high in left if low <= high]


def merged(drops: Iterable[Dropped]) -> list[Dropped]:
    """The same declarations in fewer records: ranges that touch become one where their samples are known."""
    found: list[Dropped] = []
    for drop in sorted(drops, key=lambda drop: (drop.epoch, drop.lane, drop.reason, drop.first_seq)):
        before = found[-1] if found else None
        touches = before is not None and drop.reason in BY_POLICY and (
            (before.epoch, before.lane, before.reason, before.last_seq + 1)
            == (drop.epoch, drop.lane, drop.reason, drop.first_seq)
        )  # fmt: skip
        if before is not None and touches:
            found[-1] = msgspec.structs.replace(
                before,
                last_seq=drop.last_seq,
                samples=before.samples + drop.samples,
                at_ms=max(before.at_ms, drop.at_ms),
            )
        else:
            found.append(drop)
    return found
