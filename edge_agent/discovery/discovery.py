"""The low-rate task that looks at unknown topics, one at a time, and tells the cloud what is new about them."""

import asyncio
from collections.abc import Callable

from contracts.messages import Discovered, Proposal
from edge_agent.discovery.catalogue import HEAD_BYTES, Catalogue, Unknown
from edge_agent.discovery.scoring import Proposer
from edge_agent.profiles import ProfileSet, Undecodable

EVERY_S = 1.0
"""One topic a look: trying all profiles takes some milliseconds."""
TOLD_AGAIN_MS = 60_000
"""A topic is told of at most so often."""

_Substance = tuple[tuple[str, int, str, float], ...]


class Discovery:
    """What is unknown at this gateway, with proposals. ``tell`` takes the records that go up, in the bulk lane."""

    def __init__(self, profiles: ProfileSet, tell: Callable[[Discovered], None], now_ms: Callable[[], int]) -> None:
        self.catalogue = Catalogue()
        self._profiles = profiles
        self._proposer = Proposer(profiles)
        self._tell = tell
        self._now_ms = now_ms
        self._proposals: dict[str, list[Proposal]] = {}
        self._told: dict[str, tuple[int, int, _Substance]] = {}  # topic -> (when, count, substance)

    def use_profiles(self, profiles: ProfileSet) -> None:
        """What these read is no longer unknown; for the rest they propose from now on."""
        self.catalogue.forget(profiles.bound)
        if profiles is not self._profiles:
            self._profiles, self._proposer = profiles, Proposer(profiles)
            for entry in [*self.catalogue.entries.values()]:
                entry.is_new = True
                if self._is_read(entry):
                    self.catalogue.forget([entry.topic])

    def _is_read(self, entry: Unknown) -> bool:
        try:
            return bool(entry.is_whole and self._profiles.decode(entry.topic_last, entry.payload, entry.at_ms))
        except Undecodable:
            return False

    async def run(self) -> None:
        """One task of the program, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.look()

    def look(self) -> None:
        """Propose for the topic that spoke last among those with something new; tell of it when it matters."""
        for entry in self.catalogue.newest(1):
            now_ms = self._now_ms()
            proposals = self._proposer.proposals(entry.topic_last, entry.payload, now_ms) if entry.is_whole else []
            self._proposals[entry.topic] = proposals
            substance = tuple(
                (each.profile, each.profile_version, each.device, round(each.score, 1)) for each in proposals
            )
            told_ms, told_count, told = self._told.get(entry.topic, (0, 0, ()))
            is_news = substance != told or entry.count >= 2 * told_count
            if is_news and not 0 <= now_ms - told_ms < TOLD_AGAIN_MS:
                self._told[entry.topic] = (now_ms, entry.count, substance)
                self._tell(_record(entry, proposals))
        for gone in self._proposals.keys() - self.catalogue.entries.keys():  # folded into a pattern
            del self._proposals[gone]
            self._told.pop(gone, None)

    def listed(self) -> list[Discovered]:
        """All that is unknown, the newest first."""
        entries = sorted(self.catalogue.entries.values(), key=lambda entry: -entry.at_ms)
        return [_record(entry, self._proposals.get(entry.topic, [])) for entry in entries]


def _record(entry: Unknown, proposals: list[Proposal]) -> Discovered:
    return Discovered(
        topic=entry.topic,
        count=entry.count,
        size_bytes=entry.size_bytes,
        head=entry.payload[:HEAD_BYTES],
        proposals=proposals,
        first_ms=entry.first_ms,
        at_ms=entry.at_ms,
    )
