"""A site's fuse, shared among its chargers. Pure: who may have how much, and in which order limits may be changed.

What holds: whatever order limits are confirmed in, whatever is lost of questions and answers, and whichever links are cut,
noticed or not, the sum over all chargers of the most that each may draw never grows beyond the fuse, a phase at a time. It is
counted with what a charger *may* do, not with what it was last told: a limit that was asked for and not confirmed counts when
it is higher; a charger that never confirmed one counts with its maximum; one whose link is lost counts with what it had until
the fall-back time has passed, then with its fail-safe; and room for the fail-safe is kept even while its link is up, for a
charger may notice a cut before we do, and a site's whole network may fail at once. So limits are lowered at once, and raised
only into room that is confirmed to be free. One that starts may have forgotten all that: it is not let in before it has
confirmed its fail-safe again.

How it is shared: everyone who wants gets 6 A before anyone gets more (below 6 A a car can't charge, IEC 61851: a limit is 0
or at least 6), then all rise together (max-min). When not all can have 6 A they take turns of a quarter of an hour.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

AMPS_MIN = 6.0
RAISE_A_MIN = 0.5
"""Less more is not worth a message: what others leave and take again does not make all limits move."""
TURN_MS = 15 * 60_000
PHASES = (1, 2, 3)


@dataclass(frozen=True)
class Site:
    """fuse_a: a phase. fail_safe_a: as the operator wishes it, see ``fail_safe``.

    fall_back_ms  after a link is lost *as we see it*, by when a charger has certainly fallen back to its fail-safe: a limit's
                  lifetime as it was told to the charger, and a margin for its clock
    """

    fuse_a: float
    fail_safe_a: float
    fall_back_ms: int


@dataclass(frozen=True)
class Charger:
    """What is known of one limited outlet. It changes by its methods alone; keep it on disk, else all count as never confirmed.

    phases       which of the site's phases it uses; one-phase and not known on which: all of them
    wanted_a     the most that its car takes; 0: there is none, or it is full
    since_ms     since when it charges, or waits to: for turns
    confirmed_a  the limit that it last confirmed; None: never
    asked_a      the highest limit that it was asked to take since, and has not answered: it may hold it
    fail_safe_a  what it is known to fall back to; None: it never said, so it may draw its maximum
    lost_ms      since when its link is lost; None: it is there
    refuses      it did not take its fail-safe: others make room for its maximum
    """

    id: str
    maximum_a: float
    phases: tuple[int, ...] = PHASES
    wanted_a: float = 0
    since_ms: int = 0
    confirmed_a: float | None = None
    asked_a: float | None = None
    fail_safe_a: float | None = None
    lost_ms: int | None = None
    refuses: bool = False

    @property
    def limited(self) -> bool:
        """It has confirmed a limit and a fail-safe: it is known what it may do."""
        return self.confirmed_a is not None and self.fail_safe_a is not None

    @property
    def charges(self) -> bool:
        """Its limit lets a car charge, as far as is known."""
        return (self.confirmed_a or 0) >= AMPS_MIN

    def wants(self, amps: float, now_ms: int) -> "Charger":
        """A car came that takes ``amps``, or takes another current now; 0: none, or it is full."""
        begins = (amps > 0) != (self.wanted_a > 0)
        return replace(self, wanted_a=amps, since_ms=now_ms if begins else self.since_ms)

    def asked(self, amps: float) -> "Charger":
        """It is being asked to take this limit: say so before it is sent."""
        return replace(self, asked_a=max(amps, self.asked_a or 0))

    def confirmed(self, amps: float, now_ms: int) -> "Charger":
        """It has confirmed the *last* limit that it was asked for; an answer to one given up earlier tells nothing."""
        turned = (amps >= AMPS_MIN) != self.charges
        return replace(self, confirmed_a=amps, asked_a=None, since_ms=now_ms if turned else self.since_ms)

    def fail_safe_asked(self, amps: float) -> "Charger":
        """It is being asked to fall back to this from now on: say so before it is sent."""
        return self if self.fail_safe_a is None else replace(self, fail_safe_a=max(amps, self.fail_safe_a))

    def fail_safe_confirmed(self, amps: float) -> "Charger":
        """It has confirmed the last fail-safe that it was asked for."""
        return replace(self, fail_safe_a=amps, refuses=False)

    def unbounded(self) -> "Charger":
        """It may draw and may have forgotten what it confirmed."""
        return replace(self, confirmed_a=None, asked_a=None, fail_safe_a=None)

    def refused(self) -> "Charger":
        """It did not take the fail-safe: nothing is known to bound it."""
        return replace(self.unbounded(), refuses=True)

    def lost(self, now_ms: int) -> "Charger":
        """Its link is lost; also when the agent starts, before anyone has called."""
        return self if self.lost_ms is not None else replace(self, lost_ms=now_ms)

    def linked(self, now_ms: int, fall_back_ms: int) -> "Charger":
        """It is there again, with its fail-safe or still with what it had: it will be told again."""
        if not self.limited:
            return replace(self, lost_ms=None)
        lapsed = self.lost_ms is not None and now_ms >= self.lost_ms + fall_back_ms
        had = None if lapsed else max(self.confirmed_a or 0, self.asked_a or 0)
        return replace(self, lost_ms=None, confirmed_a=self.fail_safe_a, asked_a=had)


def may_draw(charger: Charger, now_ms: int, fall_back_ms: int) -> float:
    """The most that it may draw from now on, A a phase, until something of it is confirmed or lost."""
    if charger.confirmed_a is None or charger.fail_safe_a is None:
        return charger.maximum_a
    if charger.lost_ms is not None and now_ms >= charger.lost_ms + fall_back_ms:
        return charger.fail_safe_a
    return max(charger.confirmed_a, charger.asked_a or 0, charger.fail_safe_a)


def may_start(site: Site, chargers: Sequence[Charger], charger: Charger, told: bool, now_ms: int) -> bool:
    """Whether a charger that has started may go on.

    told  it has confirmed its fail-safe since; else it may have forgotten all, or be another piece of hardware: the fuse must
          carry its maximum, and it is ``unbounded`` from then on
    """
    if told and charger.limited:
        return True
    worst = [charger.unbounded() if one.id == charger.id else one for one in chargers]
    return _free(site, worst, now_ms).of(charger) >= 0


def fail_safe(site: Site, chargers: Sequence[Charger]) -> float:
    """What every charger of the site may draw without a link, A: as wished if the fuse carries it for all, else 0."""
    if site.fail_safe_a < AMPS_MIN:
        return 0.0
    room = _Room(site.fuse_a)
    for charger in chargers:
        room.take(charger, _up(min(site.fail_safe_a, charger.maximum_a)))
    return site.fail_safe_a if room.left_min >= 0 else 0.0


def fail_safes(site: Site, chargers: Sequence[Charger], now_ms: int) -> dict[str, float]:
    """Which fail-safes may be sent now, A by charger: lower ones at once, higher ones into free room."""
    wished, room = fail_safe(site, chargers), _free(site, chargers, now_ms)
    send = {}
    for charger in chargers:
        amps = min(wished, charger.maximum_a)
        if charger.lost_ms is not None or charger.fail_safe_a == amps:
            continue
        more = _up(amps) - _up(may_draw(charger, now_ms, site.fall_back_ms))
        if more <= 0 or more <= room.of(charger):
            room.take(charger, max(more, 0))
            send[charger.id] = amps
    return send


def share(site: Site, chargers: Sequence[Charger], now_ms: int) -> dict[str, float]:
    """The limit that each charger with a link should have, A a phase: 0 or at least 6, never below its fail-safe."""
    safe, room = _down(fail_safe(site, chargers)), _Room(site.fuse_a)
    given: dict[str, int] = {}
    for charger in chargers:
        if charger.lost_ms is None:
            given[charger.id] = min(safe, _down(charger.maximum_a))
            holds_a = charger.maximum_a if charger.refuses else charger.fail_safe_a or 0
            room.take(charger, max(given[charger.id], _up(holds_a)))
        else:
            room.take(charger, _up(may_draw(charger, now_ms, site.fall_back_ms)))
    rising = []
    for charger in sorted((c for c in chargers if c.lost_ms is None and c.wanted_a > 0), key=_in_turn(now_ms)):
        least = max(given[charger.id], _down(AMPS_MIN))
        if least <= _cap(charger) and least - given[charger.id] <= room.of(charger):
            room.take(charger, least - given[charger.id])
            given[charger.id] = least
            rising.append(charger)
    _rise(rising, given, room)
    return {name: deci / 10 for name, deci in given.items()}


def changes(site: Site, chargers: Sequence[Charger], targets: Mapping[str, float], now_ms: int) -> dict[str, float]:
    """Which limits may be sent now, A by charger, in this order; ask again when something is confirmed, lost or changed.

    It names a charger until it confirms: leave out those that are just being asked.
    """
    safe, room = fail_safe(site, chargers), _free(site, chargers, now_ms)
    lower, higher = {}, []
    for charger in chargers:
        if charger.lost_ms is not None:
            continue
        target = targets[charger.id]
        if charger.confirmed_a is None:  # more than its fail-safe it gets like the others, into free room
            lower[charger.id] = min(target, safe)
        elif target < charger.confirmed_a:
            lower[charger.id] = target
        elif target > charger.confirmed_a:
            higher.append(charger)
        elif charger.asked_a is not None:  # it may hold the higher one that it was asked for
            lower[charger.id] = target
    raised = {}
    for charger in sorted(higher, key=lambda c: (c.confirmed_a or 0, c.since_ms, c.id)):
        may = _up(may_draw(charger, now_ms, site.fall_back_ms))
        amps = min(_down(targets[charger.id]), may + room.of(charger)) if room.of(charger) >= 0 else 0
        worth = amps - _down(charger.confirmed_a or 0) >= _down(RAISE_A_MIN) or amps == _cap(charger)
        if amps >= _down(AMPS_MIN) and amps > _down(charger.confirmed_a or 0) and worth:
            room.take(charger, max(amps - may, 0))
            raised[charger.id] = amps / 10
    return lower | raised


def _in_turn(now_ms: int) -> Callable[[Charger], tuple[int, int, int]]:
    """Order for the first 6 A: who is in his turn; who has waited for one; who has had his; who has just come."""

    def key(charger: Charger) -> tuple[int, int, int]:
        passed = now_ms - charger.since_ms >= TURN_MS
        minute = charger.since_ms // 60_000
        lot = zlib.crc32(f"{charger.id} {minute}".encode())  # of the same minute: else the first name would always win
        if charger.charges:
            return (2, -minute, lot) if passed else (0, minute, lot)
        return (1 if passed else 3, minute, lot)

    return key


def _rise(rising: Sequence[Charger], given: dict[str, int], room: "_Room") -> None:
    """All rise together, the lowest first, each until it has what it can take or its phase is full."""
    rising = [charger for charger in rising if given[charger.id] < _cap(charger)]
    while rising:
        level = min(given[charger.id] for charger in rising)
        lowest = [charger for charger in rising if given[charger.id] == level]
        above = min((given[charger.id] for charger in rising if given[charger.id] > level), default=math.inf)
        step = min(above, min(_cap(charger) for charger in lowest)) - level
        users = {phase: sum(phase in charger.phases for charger in lowest) for phase in PHASES}
        fits = min(room.left[phase] // count for phase, count in users.items() if count)
        if fits <= 0:
            full = {phase for phase, count in users.items() if count and room.left[phase] < count}
            rising = [c for c in rising if given[c.id] != level or full.isdisjoint(c.phases)]
            continue
        for charger in lowest:
            given[charger.id] += int(min(step, fits))
            room.take(charger, int(min(step, fits)))
        rising = [charger for charger in rising if given[charger.id] < _cap(charger)]


def _cap(charger: Charger) -> int:
    return _down(min(charger.maximum_a, max(charger.wanted_a, AMPS_MIN)))


def _free(site: Site, chargers: Sequence[Charger], now_ms: int) -> "_Room":
    room = _Room(site.fuse_a)
    for charger in chargers:
        room.take(charger, _up(may_draw(charger, now_ms, site.fall_back_ms)))
    return room


class _Room:
    """What is left of the fuse, a phase, in tenths of an ampere; below 0 when more may be drawn than it carries."""

    def __init__(self, fuse_a: float) -> None:
        self.left = dict.fromkeys(PHASES, _down(fuse_a))

    @property
    def left_min(self) -> int:
        return min(self.left.values())

    def of(self, charger: Charger) -> int:
        return min(self.left[phase] for phase in charger.phases)

    def take(self, charger: Charger, deci: int) -> None:
        for phase in charger.phases:
            self.left[phase] -= deci


def _down(amps: float) -> int:
    return math.floor(round(amps * 10, 3))


def _up(amps: float) -> int:
    return math.ceil(round(amps * 10, 3))
