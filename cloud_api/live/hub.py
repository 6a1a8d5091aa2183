"""Who watches, and what they are told: bounded for each of them, and nobody waits for a slow one."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cloud_api.live.latest import LiveValue

Source = tuple[str, str]
EVENTS_KEPT = 4_096
"""How far back Last-Event-ID may resume; before that a new snapshot is sent."""
WAITING_MAX = 1_000
"""Devices and other events that may wait for one watcher; one that is slower starts over with a snapshot."""


class Event(NamedTuple):
    """Something that happened. kind "state": source and the metrics that changed; else ``data`` is ready for JSON."""

    number: int
    kind: str
    source: Source | None
    metrics: Mapping[str, LiveValue]
    data: Mapping[str, Any]


class Subscription:
    """One watcher's events. Changes of one device that wait are folded into one: it gets the latest."""

    def __init__(self, wanted: Callable[[Event], bool]) -> None:
        self._wanted = wanted
        self._states: dict[Source, Event] = {}
        self._others: deque[Event] = deque()
        self._some = asyncio.Event()
        self.overflown = False
        self.ended = False

    @property
    def waiting(self) -> int:
        """Events that wait to be taken."""
        return len(self._states) + len(self._others)

    def offer(self, event: Event) -> None:
        """Something happened; never blocks."""
        if self.overflown or self.ended or not self._wanted(event):
            return
        if (source := event.source) is not None:
            waiting = self._states.pop(source, None)
            if waiting is not None:
                event = event._replace(metrics={**waiting.metrics, **event.metrics})
            self._states[source] = event
        else:
            self._others.append(event)
        if self.waiting > WAITING_MAX:
            self.overflown = True
            self._states.clear()
            self._others.clear()
        self._some.set()

    def end(self) -> None:
        """No more events: whoever reads this starts over, elsewhere if need be."""
        self.ended = True
        self._states.clear()
        self._others.clear()
        self._some.set()

    async def take(self) -> list[Event]:
        """What happened since the last time, in order; waits for something. Empty when it overflowed: start over."""
        await self._some.wait()
        self._some.clear()
        events = sorted([*self._states.values(), *self._others])
        self._states.clear()
        self._others.clear()
        return events


class Hub:
    """Numbers events, keeps the last ones, and offers them to the watchers. ``boot`` names this run of the program."""

    def __init__(self, boot: str) -> None:
        self.boot = boot
        self._number = 0
        self._kept: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._watchers: set[Subscription] = set()
        self.overflows = 0
        """Watchers that were too slow, since the start."""

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return len(self._watchers)

    @property
    def waiting(self) -> int:
        """Events that wait for the slowest watcher."""
        return max((watcher.waiting for watcher in self._watchers), default=0)

    @property
    def last_id(self) -> str:
        """The id of the newest event."""
        return f"{self.boot}-{self._number}"

    def id_of(self, event: Event) -> str:
        """The event's id in the stream."""
        return f"{self.boot}-{event.number}"

    def publish(
        self,
        kind: str,
        data: Mapping[str, Any],
        source: Source | None = None,
        metrics: Mapping[str, LiveValue] | None = None,
    ) -> None:
        """Tell all watchers."""
        self._number += 1
        event = Event(self._number, kind, source, metrics or {}, data)
        self._kept.append(event)
        for watcher in self._watchers:
            watcher.offer(event)

    def subscribe(self, wanted: Callable[[Event], bool], last_id: str) -> tuple[Subscription, bool]:
        """Watch from now on; with ``last_id`` from there. Returns (subscription, whether it could resume)."""
        subscription = Subscription(wanted)
        resumed = self._resume(subscription, last_id)
        self._watchers.add(subscription)
        return subscription, resumed

    def _resume(self, subscription: Subscription, last_id: str) -> bool:
        boot, _, number = last_id.rpartition("-")
        if boot != self.boot or not number.isdigit() or int(number) > self._number:
            return False
        after = int(number)
        if self._kept and after + 1 < self._kept[0].number:
            return False
        for event in self._kept:
            if event.number > after:
                subscription.offer(event)
        return not subscription.overflown

    def close(self) -> None:
        """The program stops: every watcher's stream ends."""
        for watcher in self._watchers:
            watcher.end()

    def leave(self, subscription: Subscription) -> None:
        """Watch no longer."""
        self.overflows += subscription.overflown
        self._watchers.discard(subscription)
