"""A bounded catalogue of topics that no profile reads. A flood of distinct ones is folded into patterns (``a/+/b``)."""

from collections.abc import Iterable
from dataclasses import dataclass

TOPICS_MAX = 256
SIBLINGS_MAX = 16
"""Topics that differ in one id level only; more are one entry from then on."""
KEPT_BYTES_MAX = 16_384
"""Of the last message; a longer one is known by its head and not proposed for."""
HEAD_BYTES = 256
TOPIC_LENGTH_MAX = 256
REST = "#"
"""The entry of everything that found no place."""


@dataclass(slots=True)
class Unknown:
    """One topic, or a pattern of topics. ``payload``: of the last message, cut; ``topic_last``: where it came."""

    topic: str
    topic_last: str
    payload: bytes
    size_bytes: int
    count: int
    first_ms: int
    at_ms: int
    is_new: bool = True  # more has come since it was last proposed for

    @property
    def is_whole(self) -> bool:
        """Whether the last message is kept whole."""
        return len(self.payload) == self.size_bytes


class Catalogue:
    """Entries by topic or pattern. ``note`` is cheap: it stores, nothing is decoded."""

    def __init__(self, topics_max: int = TOPICS_MAX, siblings_max: int = SIBLINGS_MAX) -> None:
        self.entries: dict[str, Unknown] = {}
        self._topics_max = topics_max
        self._siblings_max = siblings_max
        self._siblings: dict[str, list[str]] = {}  # pattern -> the topics that are entries of their own

    def note(self, topic: str, payload: bytes, now_ms: int) -> None:
        """A message has come on a topic that no profile reads."""
        topic = topic[:TOPIC_LENGTH_MAX]
        entry = self.entries.get(topic)
        if entry is None:
            key = self._key(topic)
            entry = self.entries.get(key)
            if entry is None:
                entry = self.entries[key] = Unknown(key, topic, b"", 0, 0, now_ms, now_ms)
        entry.count += 1
        entry.topic_last, entry.payload, entry.size_bytes = topic, payload[:KEPT_BYTES_MAX], len(payload)
        entry.at_ms = max(entry.at_ms, now_ms)
        entry.is_new = True

    def forget(self, topics: Iterable[str]) -> None:
        """These are read now. What is counted under a pattern stays there."""
        for topic in topics:
            if self.entries.pop(topic, None) is not None:
                siblings = self._siblings.get(pattern_of(topic), [])
                if topic in siblings:
                    siblings.remove(topic)

    def newest(self, limit: int) -> list[Unknown]:
        """Entries to be looked at, the newest first; those taken are no longer new."""
        found = sorted((entry for entry in self.entries.values() if entry.is_new), key=lambda entry: -entry.at_ms)
        for entry in found[:limit]:
            entry.is_new = False
        return found[:limit]

    def _key(self, topic: str) -> str:
        pattern = pattern_of(topic)
        if pattern in self.entries:
            return pattern
        siblings = self._siblings.get(pattern, [])
        if pattern != topic and len(siblings) + 1 > self._siblings_max:
            self._fold(pattern, siblings)
            return pattern
        if len(self.entries) >= self._topics_max - 1:  # one is kept for the rest
            return REST
        self._siblings.setdefault(pattern, []).append(topic)
        return topic

    def _fold(self, pattern: str, siblings: list[str]) -> None:
        members = [self.entries.pop(topic) for topic in siblings]
        last = max(members, key=lambda entry: entry.at_ms)
        self.entries[pattern] = Unknown(
            pattern, last.topic_last, last.payload, last.size_bytes, sum(entry.count for entry in members),
            min(entry.first_ms for entry in members), last.at_ms,
        )  # fmt: skip
        del self._siblings[pattern]


def id_level(topic: str) -> int:
    """Which level of a topic most likely names the device: the last one with most digits; without any, the last."""
    levels = topic.split("/")
    digits = [sum(character.isdigit() for character in level) for level in levels]
    most = max(digits)
    return max(place for place, count in enumerate(digits) if count == most)


def pattern_of(topic: str) -> str:
    """The topic with ``+`` for the level that names the device."""
    levels = topic.split("/")
    levels[id_level(topic)] = "+"
    return "/".join(levels)
