"""Which frame to send next. Decides only: no clock, no socket, no asyncio.

Fresh frames (committed while the link is up) go before the backlog, but every ``backlog_share``-th place is the
backlog's, so it always drains. Urgent fresh frames go before bulk ones. What is not acknowledged in time is sent again.
How many may fly at once and what "in time" means is the pace's to say.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edge_agent.uplink.pace import Pace


class FrameKey(NamedTuple):
    """A frame's place in the outbox."""

    lane: str
    seq: int


class Acked(NamedTuple):
    """What an acknowledgement tells. landed: were in flight, the cloud holds them; lost: are sent again, for the cloud
    holds what was sent well after them.
    """

    landed: list[FrameKey]
    lost: list[FrameKey]


class SendWindow:
    """At most ``frames_max`` frames are sent and unacknowledged at any time; fewer where answers are slow to come.

    resend_after_ms  an acknowledgement is never called late before
    """

    def __init__(self, frames_max: int, resend_after_ms: int, backlog_share: int = 4, fresh_max: int = 1_024) -> None:
        self.frames_max = frames_max
        self._pace = Pace(frames_max, resend_after_ms)
        self._share = backlog_share
        self._fresh_max = fresh_max
        self._fresh: dict[str, deque[int]] = {"urgent": deque(), "bulk": deque()}
        self._backlog: dict[str, list[tuple[int, int]]] = {"urgent": [], "bulk": []}
        self._in_flight: dict[FrameKey, int] = {}
        self._again: dict[FrameKey, int] = {}  # sent more than once: the first time
        self._turn = 0
        self._up = False

    @property
    def in_flight(self) -> int:
        """Frames sent and not acknowledged."""
        return len(self._in_flight)

    @property
    def frames_now(self) -> int:
        """How many frames may be unacknowledged now."""
        return self._pace.frames

    @property
    def answer_ms(self) -> int:
        """What an acknowledgement may take on a link like this one."""
        return self._pace.answer_ms

    @property
    def resend_after_ms(self) -> int:
        """When an acknowledgement is late."""
        return self._pace.resend_after_ms

    @property
    def backlog_frames(self) -> int:
        """Frames that wait in the backlog."""
        return sum(last - first + 1 for ranges in self._backlog.values() for first, last in ranges)

    def link_up(self) -> None:
        """The link is there: from now on committed frames are fresh. ``backlog`` says what was there before."""
        self.link_lost()
        self._pace.link_up()
        self._up = True

    def backlog(self, lane: str, unacked: Sequence[tuple[int, int]]) -> None:
        """Every range that the outbox holds unacknowledged, ascending; what is fresh or in flight is left out."""
        known = sorted([*self._fresh[lane], *(key.seq for key in self._in_flight if key.lane == lane)])
        self._backlog[lane] = _without(list(unacked), [(seq, seq) for seq in known])

    def link_lost(self) -> None:
        """Nothing is in flight any more; what is to be sent is told again by ``backlog``."""
        self._in_flight.clear()
        self._again.clear()
        self._backlog = {lane: [] for lane in self._backlog}
        for fresh in self._fresh.values():
            fresh.clear()
        self._up = False

    def committed(self, key: FrameKey) -> None:
        """A frame has just been committed to the outbox."""
        if not self._up:
            return  # it is found in the outbox when the link is up
        fresh = self._fresh[key.lane]
        fresh.append(key.seq)
        if len(fresh) > self._fresh_max:
            _append(self._backlog[key.lane], fresh.popleft())

    def next(self, now_ms: int) -> FrameKey | None:
        """The frame to send now, which counts as sent; None when the window is full or nothing is left."""
        if not self._up or len(self._in_flight) >= self._pace.frames:
            return None
        self._turn += 1
        order = (self._from_backlog, self._from_fresh) if self._turn % self._share == 0 else (
            self._from_fresh, self._from_backlog)  # fmt: skip
        for take in order:
            key = take()
            if key is not None:
                self._in_flight[key] = now_ms
                return key
        return None

    def _from_fresh(self) -> FrameKey | None:
        for lane, fresh in self._fresh.items():
            if fresh:
                return FrameKey(lane, fresh.popleft())
        return None

    def _from_backlog(self) -> FrameKey | None:
        for lane, ranges in self._backlog.items():
            while ranges:
                first, last = ranges[0]
                if first == last:
                    ranges.pop(0)
                else:
                    ranges[0] = (first + 1, last)
                if (key := FrameKey(lane, first)) not in self._in_flight:
                    return key
        return None

    def acked(self, lane: str, ranges: Iterable[tuple[int, int]], now_ms: int) -> Acked:
        """The cloud holds these: out of flight, and not sent again. Idempotent."""
        wanted = sorted(ranges)
        newest_ms = 0
        landed = [key for key in self._in_flight if key.lane == lane and _within(wanted, key.seq)]
        for key in landed:
            sent_ms = self._in_flight.pop(key)
            if key in self._again:
                self._pace.answered(now_ms - self._again[key], now_ms, again=True)
            else:
                newest_ms = max(newest_ms, sent_ms)
                self._pace.answered(now_ms - sent_ms, now_ms)
        for key in [key for key in self._again if key.lane == lane and _within(wanted, key.seq)]:
            del self._again[key]
        if self._backlog[lane]:
            self._backlog[lane] = _without(self._backlog[lane], wanted)
        fresh = self._fresh[lane]
        if fresh and any(_within(wanted, seq) for seq in (fresh[0], fresh[-1])):
            self._fresh[lane] = deque(seq for seq in fresh if not _within(wanted, seq))
        before_ms = newest_ms - self._pace.overtaken_after_ms
        lost = [key for key, sent_ms in self._in_flight.items() if key.lane == lane and sent_ms < before_ms]
        if lost:
            self._send_again(lost)
        return Acked(landed, lost)

    def gone(self, key: FrameKey) -> None:
        """This frame was given up before it could be sent."""
        self._in_flight.pop(key, None)
        self._again.pop(key, None)

    def overdue(self, now_ms: int) -> list[FrameKey]:
        """Frames whose ack is late; they go to the front of the backlog and out of flight."""
        after_ms = self._pace.resend_after_ms
        late = [key for key, sent_ms in self._in_flight.items() if now_ms - sent_ms >= after_ms]
        if late:
            self._pace.late(now_ms)
            self._send_again(late)
        return late

    def _send_again(self, keys: list[FrameKey]) -> None:
        for key in sorted(keys, reverse=True):
            sent_ms = self._in_flight.pop(key)
            self._again.setdefault(key, sent_ms)
            self._backlog[key.lane].insert(0, (key.seq, key.seq))


def _append(ranges: list[tuple[int, int]], seq: int) -> None:
    if ranges and ranges[-1][1] + 1 == seq:
        ranges[-1] = (ranges[-1][0], seq)
    else:
        ranges.append((seq, seq))


def _within(ranges: Sequence[tuple[int, int]], seq: int) -> bool:
    return any(first <= seq <= last for first, last in ranges)


def _without(ranges: list[tuple[int, int]], gone: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    left: list[tuple[int, int]] = []
    for first, last in ranges:
        for low, high in gone:
            if high < first or low > last:
                continue
            if low > first:
                left.append((first, low - 1))
            first = high + 1
            if first > last:
                break
        if first <= last:
            left.append((first, last))
    return left
