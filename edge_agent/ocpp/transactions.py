"""The charging transactions of a site: begun, metered, ended. Pure; what is kept of them is on disk before an answer goes.

A charge point repeats what was not answered, also after a restart on either side, under the same or another message id,
and says late what happened without connection. Every step here may therefore come again: then it changes nothing.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from contracts.messages import ChargingTransaction
from edge_agent.ocpp.metering import consumed
from edge_agent.ocpp.moments import Moment

ENDED_KEPT = 2_000
"""Transactions that are remembered after their end, so that a late repeat is recognised."""
SEEN_RANGES_MAX = 64
SUPERSEDED = "Other"
"""Why a transaction ended whose end was never said, in OCPP's words."""


class Transaction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One transaction, with what is needed to recognise what comes again.

    key       the charge point's name for it: the number it was given (1.6), or its own transactionId (2.0.1)
    begun     by the message that says so; until then what is known comes from later ones (2.0.1)
    metered   meter_start_wh and meter_wh are readings, with the turns first and last; metered_ms: when the last was read
    said_ms   the begin, by the charge point's own clock, where that is impossible
    start     digest of the call that began it (1.6)
    answers   authorisation that was answered, by message: "start", "stop", or the event's seqNo
    seen      seqNos that were taken, as ranges (2.0.1)
    state     the charging state last said (2.0.1)
    superseded  its end was not said: another one began at its connector
    """

    transaction: str
    seq: int = 0
    charge_point: str
    connector: int
    key: str
    token: str = ""
    begun: bool = True
    started_ms: int
    ended_ms: int = 0
    meter_start_wh: float = 0
    meter_wh: float = 0
    energy_wh: float = 0
    metered: bool = False
    metered_ms: int = 0
    first_turn: int = 0
    last_turn: int = 0
    reason: str = ""
    offline: bool = False
    time_unsure: bool = False
    said_ms: int | None = None
    start: bytes = b""
    answers: dict[str, str] = {}
    seen: list[tuple[int, int]] = []
    state: str = ""
    superseded: bool = False

    @property
    def goes_on(self) -> bool:
        """Its end has not been said."""
        return not self.ended_ms or self.superseded

    @property
    def device(self) -> str:
        """The connector's external id."""
        return f"{self.charge_point}-{self.connector}"

    def record(self, at_ms: int) -> ChargingTransaction:
        """What the cloud is told."""
        return ChargingTransaction(
            transaction=self.transaction,
            seq=self.seq,
            device=self.device,
            charge_point=self.charge_point,
            token=self.token,
            started_ms=self.started_ms,
            meter_start_wh=self.meter_start_wh,
            meter_wh=self.meter_wh,
            energy_wh=self.energy_wh,
            ended_ms=self.ended_ms,
            reason=self.reason,
            offline=self.offline,
            time_unsure=self.time_unsure or self.superseded,
            at_ms=at_ms,
        )

    def has_seen(self, seq_no: int) -> bool:
        """Whether this event was taken already."""
        return any(first <= seq_no <= last for first, last in self.seen)

    def see(self, seq_no: int) -> None:
        """This event is taken. Of very many gaps the oldest is forgotten: what it held counts as taken."""
        ranges = sorted([*self.seen, (seq_no, seq_no)])
        joined = [ranges[0]]
        for first, last in ranges[1:]:
            if first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            else:
                joined.append((first, last))
        if len(joined) > SEEN_RANGES_MAX:
            joined[:2] = [(joined[0][0], joined[1][1])]
        self.seen = joined


class Begin(NamedTuple):
    """A transaction begins. meter_wh: the register then, None where it is not said; turn: see ``Book.meter``."""

    charge_point: str
    connector: int
    key: str
    token: str
    moment: Moment
    meter_wh: float | None
    offline: bool
    start: bytes = b""
    turn: int = 0


class Changes(NamedTuple):
    """What has changed, by transaction: to be kept, to be told the cloud, to be forgotten."""

    keep: dict[str, Transaction]
    say: dict[str, Transaction]
    forget: list[str]


class Book:
    """All transactions that are remembered. What changes is collected until ``take_changes``.

    new_id  gives an id that is unique for good
    """

    def __init__(self, kept: Iterable[Transaction], new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._all: dict[str, Transaction] = {}
        self._open: dict[str, Transaction] = {}
        self._by_key: dict[tuple[str, str], Transaction] = {}
        self._changes = Changes({}, {}, [])
        for one in sorted(kept, key=lambda one: (one.ended_ms or 2**62, one.started_ms)):
            self._add(one)

    def _add(self, one: Transaction) -> None:
        self._all[one.transaction] = one
        if not one.ended_ms:
            self._open[one.transaction] = one
        self._by_key[one.charge_point, one.key] = one

    @property
    def open(self) -> list[Transaction]:
        """Those that go on."""
        return list(self._open.values())

    def find(self, charge_point: str, key: str) -> Transaction | None:
        """The transaction that this charge point calls so."""
        return self._by_key.get((charge_point, key))

    def open_at(self, charge_point: str, connector: int) -> Transaction | None:
        """The one that goes on at this connector; of several the one that began last."""
        here = [one for one in self.open if one.charge_point == charge_point and one.connector == connector]
        return max(here, key=lambda one: one.started_ms, default=None)

    def started_by(self, charge_point: str, start: bytes, unsure: bool) -> Transaction | None:
        """The transaction that this very call began. Where its time means nothing, only one that still goes on."""
        for one in reversed(self._all.values()):
            if one.charge_point == charge_point and one.start == start and not (unsure and one.ended_ms):
                return one
        return None

    def is_in_use(self, token: str, charge_point: str, connector: int) -> bool:
        """Whether a transaction with this token goes on at another connector."""
        return any(
            one.token == token and (one.charge_point, one.connector) != (charge_point, connector) for one in self.open
        )

    def begin(self, begin: Begin) -> Transaction:
        """A transaction begins, and what was never ended at its connector before it has ended."""
        one = Transaction(
            transaction=self._new_id(),
            charge_point=begin.charge_point,
            connector=begin.connector,
            key=begin.key,
            token=begin.token,
            started_ms=begin.moment.at_ms,
            offline=begin.offline,
            time_unsure=begin.moment.unsure,
            said_ms=begin.moment.said_ms if begin.moment.unsure else None,
            start=begin.start,
        )
        if begin.meter_wh is not None:
            one.metered, one.metered_ms = True, begin.moment.at_ms
            one.first_turn = one.last_turn = begin.turn
            one.meter_start_wh = one.meter_wh = begin.meter_wh
        for earlier in self.open:
            here = (earlier.charge_point, earlier.connector) == (begin.charge_point, begin.connector)
            if here and earlier.started_ms <= one.started_ms:
                earlier.ended_ms = max(earlier.started_ms, earlier.metered_ms)
                earlier.reason, earlier.superseded = SUPERSEDED, True
                del self._open[earlier.transaction]
                self._touch(earlier)
        self._add(one)
        self._touch(one)
        return one

    def begun_before(self, one: Transaction, begin: Begin) -> None:
        """The begin of a transaction that was known from what came after it (2.0.1: events out of order)."""
        one.begun = True
        one.token = begin.token or one.token
        one.started_ms = min(one.started_ms, begin.moment.at_ms)
        one.time_unsure = one.time_unsure or begin.moment.unsure
        one.offline = one.offline or begin.offline
        if begin.meter_wh is not None:
            self.meter(one, begin.meter_wh, begin.moment, begin.turn)
        self._touch(one)

    def meter(self, one: Transaction, register_wh: float, moment: Moment, turn: int | None = None) -> bool:
        """The register was read. False: it told nothing new (between what is known, or the same).

        turn  the reading's place in the order of what the charge point says (2.0.1: seqNo). Without it (1.6) the order is
              that of times where they are sure, else that in which they come.
        """
        if turn is None:
            turn = one.last_turn if moment.unsure else moment.at_ms
        if one.said_ms is not None and not moment.unsure:
            one.started_ms = min(one.started_ms, moment.at_ms)
        if not one.metered:
            one.metered, one.meter_start_wh, one.meter_wh = True, register_wh, register_wh
            one.first_turn = one.last_turn = turn
        elif turn < one.first_turn:  # what was read before comes after
            one.energy_wh += consumed(register_wh, one.meter_start_wh)[0]
            one.meter_start_wh, one.first_turn = register_wh, turn
        elif turn < one.last_turn:
            return False
        else:
            one.last_turn = turn
            energy_wh, meter_wh = consumed(one.meter_wh, register_wh)
            if not energy_wh and meter_wh == one.meter_wh:
                return False
            one.energy_wh += energy_wh
            one.meter_wh = meter_wh
        one.metered_ms = moment.at_ms
        self._touch(one)
        return True

    def end(self, one: Transaction, moment: Moment, meter_wh: float | None, reason: str, offline: bool) -> None:
        """The transaction ends. Where its begin had an impossible time, the end's is the better knowledge of both."""
        ended_ms = moment.at_ms
        if one.said_ms is not None:
            same_clock = moment.unsure and moment.said_ms is not None and moment.said_ms >= one.said_ms
            lasted_ms = moment.said_ms - one.said_ms if same_clock and moment.said_ms is not None else 0
            one.started_ms = min(one.started_ms, ended_ms - lasted_ms)
        one.time_unsure = one.time_unsure or moment.unsure or ended_ms < one.started_ms
        ended_ms = max(ended_ms, one.started_ms)
        if meter_wh is not None:
            self.meter(one, meter_wh, moment, one.last_turn)  # the last that there is
        one.ended_ms = ended_ms
        one.reason, one.superseded = reason, False
        self._open.pop(one.transaction, None)
        one.offline = one.offline or offline
        self._touch(one)
        self._forget_old()

    def note(self, one: Transaction) -> None:
        """Something was set in it that only we need: it is kept, and the cloud is not told."""
        self._changes.keep[one.transaction] = one

    def _touch(self, one: Transaction) -> None:
        one.seq += 1
        self._changes.keep[one.transaction] = self._changes.say[one.transaction] = one

    def _forget_old(self) -> None:
        ended = [one for one in self._all.values() if one.ended_ms]
        for one in ended[: max(0, len(ended) - ENDED_KEPT)]:
            del self._all[one.transaction]
            del self._by_key[one.charge_point, one.key]
            self._changes.forget.append(one.transaction)

    def take_changes(self) -> Changes:
        """What has changed since the last time."""
        changes, self._changes = self._changes, Changes({}, {}, [])
        return changes
