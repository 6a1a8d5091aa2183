"""Which seqs of a lane are held, as ranges that merge. Pure. The frame log keeps it in the transaction of the frames."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple


class StreamKey(NamedTuple):
    """One lane of one epoch of one gateway: seqs count from 1 in it."""

    gateway: str
    epoch: str
    lane: str


class Range(NamedTuple):
    """Seqs first..last, all held. samples in them; samples_before: samples of all frames before first_seq."""

    first_seq: int
    last_seq: int
    samples: int
    samples_before: int


class Coverage:
    """Disjoint ranges in ascending order, never touching each other."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self.ranges = sorted(ranges)

    def __contains__(self, seq: int) -> bool:
        place = bisect_right(self.ranges, seq, key=lambda held: held.first_seq) - 1
        return place >= 0 and seq <= self.ranges[place].last_seq

    def add(self, seq: int, samples: int, samples_before: int) -> tuple[list[Range], Range] | None:
        """Hold one more seq. Returns (ranges that are gone, the range that took their place), or None if it was held."""
        if seq in self:
            return None
        place = bisect_right(self.ranges, seq, key=lambda held: held.first_seq)
        gone: list[Range] = []
        merged = Range(seq, seq, samples, samples_before)
        if place < len(self.ranges) and self.ranges[place].first_seq == seq + 1:
            after = self.ranges.pop(place)
            gone.append(after)
            merged = merged._replace(last_seq=after.last_seq, samples=merged.samples + after.samples)
        if place and self.ranges[place - 1].last_seq == seq - 1:
            before = self.ranges.pop(place - 1)
            gone.append(before)
            place -= 1
            merged = Range(before.first_seq, merged.last_seq, before.samples + merged.samples, before.samples_before)
        self.ranges.insert(place, merged)
        return gone, merged

    def ack_ranges(self, limit: int = 64) -> list[tuple[int, int]]:
        """(first, last) pairs for an acknowledgement: the lowest and the newest ones when there are too many."""
        pairs = [(held.first_seq, held.last_seq) for held in self.ranges]
        return pairs if len(pairs) <= limit else [pairs[0], *pairs[-(limit - 1) :]]


class CoverageChanges:
    """What a transaction has to write of the ranges: those that are gone, and those that are new or longer."""

    def __init__(self) -> None:
        self._gone: dict[tuple[StreamKey, int], None] = {}
        self._changed: dict[tuple[StreamKey, int], Range] = {}

    def add(self, key: StreamKey, held: Coverage, seq: int, samples: int, samples_before: int) -> None:
        """A frame was stored; ``held`` is what is held of its lane, and is brought up to date."""
        merged = held.add(seq, samples, samples_before)
        assert merged is not None, "the coverage holds a seq that the frames do not"
        for old in merged[0]:
            self._gone[key, old.first_seq] = None
            self._changed.pop((key, old.first_seq), None)
        self._changed[key, merged[1].first_seq] = merged[1]

    @property
    def gone(self) -> list[tuple[str, str, str, int]]:
        """Rows that are to be deleted, by their key: gateway, epoch, lane, first_seq. None of them is in ``changed``."""
        return [(*key, first_seq) for key, first_seq in self._gone if (key, first_seq) not in self._changed]

    @property
    def changed(self) -> list[tuple[str, str, str, int, int, int, int]]:
        """Whole rows that are to be inserted, or to replace those of the same key."""
        return [(*key, *held) for (key, _), held in self._changed.items()]
