"""Keeps a site's chargers below its fuse: what ``fuse`` decides, told to charge points as charging profiles.

Two profiles bound a whole charge point, whatever its transactions: one for good with the fail-safe current, and above it one
with its present limit, which is a lease. It ends by itself, so a charge point that has lost its link falls back to the first
one. A lease also *begins*: one whose clock is behind by more than the margin does not yet take it as valid, and stays at the
fail-safe; so a lease ends at most that margin late, by any clock, and one that is ahead ends it early.

A charge point that has started may have lost both, or be another piece of hardware under the same name. It is told its fail-safe
anew, and not let in before it has confirmed it; one that does not take it counts with the most that it can draw.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

import msgspec

from contracts.messages import DesiredChargePoint
from edge_agent.ocpp.calls import Link, NotAnswered
from edge_agent.ocpp.fuse import PHASES, Charger, changes, fail_safes, may_start, share
from edge_agent.ocpp.fuse import Site as Fuse
from edge_agent.ocpp.moments import written
from edge_agent.ocpp.session import Session
from edge_agent.ocpp.site import Site, readable_documents
from edge_agent.ocpp.validation import CallRefused

log = logging.getLogger(__name__)

CHARGERS = "ocpp/charger/"
LOOK_S, LOOK_S_MIN = 1.0, 0.01
REST_MS_MAX = 30_000
"""A charge point that did not take a limit is asked again after this, or a quarter of a lease."""
MARGIN_SHARE = 5
"""The margin for clocks is this part of a lease."""
FAIL_SAFE_NUMBER, LEASE_NUMBER = 9_001, 9_002
FULL_MS = 600_000
"""A car that takes nothing though it may is not asked again for so long, unless it charges."""

What = Literal["fail-safe", "fail-safe again", "limit"]


class _Known(NamedTuple):
    """A charge point's connection, as it was last seen. told: its fail-safe was put there in this connection."""

    link: Link
    lease_until_ms: int
    told: bool = False


class Limits:
    """Limits of one site. steady_ms: the clock by which all of this is counted; lease_ms: how long a limit holds."""

    def __init__(
        self,
        site: Site,
        links: Mapping[str, Link],
        sessions: Mapping[str, Session],
        steady_ms: Callable[[], int],
        lease_ms: int,
    ) -> None:
        self.chargers: dict[str, Charger] = {}
        self.refused: dict[str, str] = {}
        """Charge points that did not take a limit, and their answer."""
        self.caps: dict[str, float] = {}
        """Connector -> the current that somebody set by hand."""
        self.waiting: set[str] = set()
        """Charge points that have started and are not let in yet."""
        self._site = site
        self._links = links
        self._sessions = sessions
        self._steady_ms = steady_ms
        self._lease_ms = lease_ms
        self._margin_ms = lease_ms // MARGIN_SHARE
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, What] = {}
        self._rest_until_ms: dict[str, int] = {}
        self._full_until_ms: dict[str, int] = {}
        self._leaving: dict[str, Charger] = {}  # taken out of the site, and not yet fallen back to nothing of ours
        self._wake = asyncio.Event()
        now_ms = steady_ms()
        self._kept = {
            name: replace(kept, since_ms=now_ms, lost_ms=now_ms)
            for name, kept in readable_documents(site.writer.outbox.documents(CHARGERS), Charger).items()
        }

    def apply(self) -> None:
        """The site's charge points, or its fuse, may be others now."""
        now_ms = self._steady_ms()
        chargers = {}
        for name in (self.chargers.keys() | self._kept.keys()) - self._site.points.keys():
            # Its last limit may hold there until the lease is over: for so long it counts.
            gone = self.chargers.get(name) or self._kept[name]
            chargers[name] = self._leaving[name] = replace(gone, wanted_a=0).lost(now_ms)
            self._known.pop(name, None)
        for name, point in self._site.points.items():
            known = (
                self.chargers.get(name) or self._kept.get(name) or Charger(name, point.current_max_a, lost_ms=now_ms)
            )
            chargers[name] = replace(known, maximum_a=point.current_max_a, phases=_phases(point))
            self._leaving.pop(name, None)
        self.chargers, self._kept = chargers, dict(chargers)
        self.look()

    def lets_in(self, name: str, starts: bool) -> bool:
        """Whether a charge point that says it has started may go on; who may not is asked to boot again once it may.

        starts  it says so for the first time in this connection
        """
        if name not in self.chargers:
            return False
        if starts:
            self._known.pop(name, None)  # it is told anew
        if self._may_start(name):
            self.waiting.discard(name)
            if not self._told(name):
                self._put(name, self.chargers[name].unbounded())
            return True
        self.waiting.add(name)
        return False

    def _may_start(self, name: str) -> bool:
        if (charger := self.chargers.get(name)) is None:
            return False
        return may_start(self.fuse, list(self.chargers.values()), charger, self._told(name), self._steady_ms())

    def _told(self, name: str) -> bool:
        return name in self._known and self._known[name].told

    def look(self) -> None:
        """Something has changed: links, transactions, limits."""
        self._wake.set()

    async def run(self) -> None:
        """Keep limits right until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                for name, (what, amps) in self._wanted().items():
                    self._asking[name] = what
                    tasks.create_task(self._ask(name, what, amps))
                for name in [name for name in self.waiting if name not in self._links or self._may_start(name)]:
                    self.waiting.discard(name)
                    if (link := self._links.get(name)) is not None:
                        tasks.create_task(_ask_to_boot(link))
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                await asyncio.sleep(LOOK_S_MIN)  # changes come in swarms

    @property
    def fuse(self) -> Fuse:
        """What is shared."""
        charging = self._site.charging
        return Fuse(charging.fuse_a, charging.fail_safe_a, self._lease_ms + self._margin_ms)

    def _wanted(self) -> dict[str, tuple[What, float]]:
        """What charge points are to be asked now."""
        now_ms = self._steady_ms()
        for name, left in list(self._leaving.items()):
            if left.lost_ms is not None and now_ms >= left.lost_ms + self.fuse.fall_back_ms:
                del self._leaving[name], self.chargers[name]
                self._kept.pop(name, None)
                self._site.writer.pending.documents[CHARGERS + name] = b""
                self._site.writer.wake()
        for name, charger in self.chargers.items():
            if name not in self._leaving:
                self._put(name, self._seen(name, charger, now_ms))
        going_on = {one.transaction for one in self._site.book.open}
        self._full_until_ms = {name: until for name, until in self._full_until_ms.items() if name in going_on}
        fuse, chargers = self.fuse, list(self.chargers.values())
        found: dict[str, tuple[What, float]] = {}
        for name, amps in fail_safes(fuse, chargers, now_ms).items():
            found[name] = ("fail-safe", amps)
        only_lower = bool(found) or "fail-safe" in self._asking.values()  # both would count on the same room
        for name, charger in self.chargers.items():
            if charger.fail_safe_a is not None and name in self._known and not self._told(name):
                found.setdefault(name, ("fail-safe again", charger.fail_safe_a))  # it may be another piece of hardware
        for name, amps in changes(fuse, chargers, share(fuse, chargers, now_ms), now_ms).items():
            confirmed_a = self.chargers[name].confirmed_a
            if not only_lower or confirmed_a is None or amps <= confirmed_a:
                found.setdefault(name, ("limit", amps))
        for name, charger in self.chargers.items():
            if self._is_due(name, charger, now_ms):
                found.setdefault(name, ("limit", charger.confirmed_a or 0))
        return {
            name: what
            for name, what in found.items()
            if name in self._known and name not in self._asking and now_ms >= self._rest_until_ms.get(name, 0)
        }

    def _is_due(self, name: str, charger: Charger, now_ms: int) -> bool:
        """Whether its lease is to be renewed; what is no more than its fail-safe needs none."""
        leased = name in self._known and (charger.confirmed_a or 0) > (charger.fail_safe_a or 0)
        return leased and now_ms >= self._known[name].lease_until_ms - self._lease_ms // 2

    def _seen(self, name: str, charger: Charger, now_ms: int) -> Charger:
        """The charger with what its link and its transactions say now."""
        link, known = self._links.get(name), self._known.get(name)
        if link is None or (known is not None and known.link is not link):
            self._known.pop(name, None)
            charger = charger.lost(now_ms)
        if name not in self._known and link is not None and link.spoke.is_set():
            self._known[name] = _Known(link, now_ms)
            self._rest_until_ms.pop(name, None)
            charger = charger.linked(now_ms, self.fuse.fall_back_ms)
        wanted_a = self._wanted_a(name, charger, now_ms)
        return charger if wanted_a == charger.wanted_a else charger.wants(wanted_a, now_ms)

    def _wanted_a(self, charge_point: str, charger: Charger, now_ms: int) -> float:
        """What the cars there may take. One that takes nothing though it may is full, or thinks so."""
        session = self._sessions.get(charge_point)
        wanted_a = 0.0
        for one in self._site.book.open:
            if one.charge_point != charge_point:
                continue
            state = one.state or (session.statuses.get(one.connector, "") if session else "")
            if state == "Charging":
                self._full_until_ms.pop(one.transaction, None)
            elif state == "SuspendedEV" and charger.charges:
                self._full_until_ms[one.transaction] = now_ms + FULL_MS
            if now_ms >= self._full_until_ms.get(one.transaction, 0):
                self._full_until_ms.pop(one.transaction, None)
                wanted_a += self.caps.get(one.device, charger.maximum_a)
        return min(wanted_a, charger.maximum_a)

    def _put(self, name: str, charger: Charger) -> None:
        if charger != self.chargers.get(name):
            self.chargers[name] = charger
            self._site.writer.pending.documents[CHARGERS + name] = msgspec.msgpack.encode(charger)
            self._site.writer.wake()

    async def _ask(self, name: str, what: What, amps: float) -> None:
        """Ask, and believe only what is confirmed. That it was asked is on disk before it is."""
        link, session = self._known[name].link, self._sessions.get(name)
        try:
            charger = self.chargers[name]
            self._put(name, charger.asked(amps) if what == "limit" else charger.fail_safe_asked(amps))
            await self._site.writer.flushed()
            if session is None or self._links.get(name) is not link:
                return
            asked_ms = self._steady_ms()
            number, stack, valid = self._profile(what)
            request = session.whole_limit(number, stack, amps, valid)
            status = str((await link.call(request.action, request.payload)).get("status", ""))
            if status not in request.good:
                raise CallRefused(status or "no status", "")
        except KeyError:
            pass  # nobody's charge point any more
        except NotAnswered as error:
            self._rest(name, link, what, str(error))
        except CallRefused as error:
            self._rest(name, link, what, error.code)
        else:
            self._confirmed(name, link, what, amps, asked_ms)
        finally:
            del self._asking[name]
            self.look()

    def _profile(self, what: What) -> tuple[int, int, tuple[str, str] | None]:
        if what != "limit":
            return FAIL_SAFE_NUMBER, 0, None
        now_ms = self._site.now_ms()
        return LEASE_NUMBER, 1, (written(now_ms - self._margin_ms), written(now_ms + self._lease_ms))

    def _confirmed(self, name: str, link: Link, what: What, amps: float, asked_ms: int) -> None:
        known, charger = self._known.get(name), self.chargers.get(name)
        if known is None or known.link is not link or charger is None:
            return  # another connection meanwhile: it is asked anew
        self.refused.pop(name, None)
        if what != "limit":
            self._known[name] = known._replace(told=True)
            self._put(name, charger.fail_safe_confirmed(amps))
        else:
            self._known[name] = known._replace(lease_until_ms=asked_ms + self._lease_ms)
            self._put(name, charger.confirmed(amps, self._steady_ms()))

    def _rest(self, name: str, link: Link, what: What, reason: str) -> None:
        if self._links.get(name) is not link:
            return  # it is asked anew in its next connection
        if what != "limit" and (charger := self.chargers.get(name)) is not None:
            self._put(name, charger.refused())
        self.refused[name] = reason
        self._rest_until_ms[name] = self._steady_ms() + min(REST_MS_MAX, self._lease_ms // 4)
        log.warning("a limit was not taken", extra={"charge_point": name, "answer": reason})


async def _ask_to_boot(link: Link) -> None:
    with contextlib.suppress(NotAnswered, CallRefused):  # then it asks by itself, when it was told to
        await link.call("TriggerMessage", {"requestedMessage": "BootNotification"})


def _phases(point: DesiredChargePoint) -> tuple[int, ...]:
    """The phases of the site on which it draws; on all that it might, where nobody knows on which."""
    return (point.phase,) if point.phases == 1 and point.phase in PHASES else PHASES
