"""What a charge point says, given to the session itself: events in any order, twice, by wrong clocks."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.messages import ChargingTransaction, DesiredChargePoint, DesiredCharging, DesiredToken, Refused
from edge_agent.intake import Intake
from edge_agent.ocpp.moments import written
from edge_agent.ocpp.session import OPEN_MAX, Session
from edge_agent.ocpp.session16 import Session16
from edge_agent.ocpp.session201 import Session201
from edge_agent.ocpp.site import Site
from edge_agent.ocpp.validation import CallRefused
from edge_agent.outbox import Outbox
from edge_agent.outbox.writer import OutboxWriter
from edge_agent.profiles import SHIPPED, ProfileSet
from edge_agent.quota import Quota

NOW_MS = 1_800_000_000_000
MINUTE_MS = 60_000
CHARGING = DesiredCharging(
    fuse_a=63, charge_points=[DesiredChargePoint(charge_point="CP")],
    tokens=[DesiredToken(name="card", id_tag="CARD"), DesiredToken(name="other", id_tag="OTHER")],
)  # fmt: skip


class Bench:
    """A site whose batch is looked at instead of being written."""

    def __init__(self, folder: Path, profiles: ProfileSet) -> None:
        self.folder = folder
        self.outbox = self.opened("empty")
        self._profiles = profiles

    def opened(self, name: str) -> Outbox:
        """An outbox of this name."""
        return Outbox(self.folder / f"{name}.sqlite", "gw-1", 2**30, lambda: NOW_MS)

    def site(self, outbox: Outbox | None = None) -> Site:
        """A site that knows nothing but what is in its outbox."""
        writer = OutboxWriter(
            outbox or self.outbox,
            0,
            1,
            lambda batch, frames: None,
            lambda place: None,
            lambda: None,
            contextlib.nullcontext,
        )
        intake = Intake(
            self._profiles, writer, {}, {}, lambda: NOW_MS, lambda: NOW_MS, 10_000, Quota(0, 1),
            lambda decoded: None, lambda: None, lambda: None, lambda topic, payload, now_ms: None,
        )  # fmt: skip
        ids = iter(range(10**9))
        site = Site(writer, intake, lambda: NOW_MS, lambda: True, lambda: f"id-{next(ids)}")
        site.apply(CHARGING)
        return site

    def session(self, kind: type[Session], site: Site | None = None, since_ms: int = 0) -> Session:
        """A charge point of this version."""
        return kind(site or self.site(), "CP", since_ms, lambda starts: True, Random(1))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with TemporaryDirectory() as folder:
        yield Bench(Path(folder), ProfileSet.load([SHIPPED]))


def told(site: Site) -> list[ChargingTransaction]:
    """The last word on each transaction, in the order in which they were first told."""
    site.keep()
    last: dict[str, ChargingTransaction] = {}
    for record in site.writer.pending.urgent:
        if isinstance(record, ChargingTransaction):
            assert record.transaction not in last or record.seq > last[record.transaction].seq
            last[record.transaction] = record
    return list(last.values())


def event(number: int, count: int, wh: list[float | None], transaction: str = "tx", begin_minute: int = -60) -> Any:
    """Event ``number`` of a transaction of ``count`` events, a minute each."""
    at = written(NOW_MS + (begin_minute + number) * MINUTE_MS)
    kind = "Started" if number == 0 else "Ended" if number == count - 1 else "Updated"
    payload: dict[str, Any] = {
        "eventType": kind, "timestamp": at, "triggerReason": "MeterValuePeriodic", "seqNo": number,
        "transactionInfo": {"transactionId": transaction},
    }  # fmt: skip
    if number == 0:
        payload |= {"evse": {"id": 2, "connectorId": 1}, "idToken": {"idToken": "CARD", "type": "ISO14443"}}
    if kind == "Ended":
        payload["transactionInfo"]["stoppedReason"] = "EVDisconnected"
    if (register := wh[number]) is not None:
        payload["meterValue"] = [{"timestamp": at, "sampledValue": [{"value": register}]}]
    return payload


@st.composite
def _orders(draw: st.DrawFn) -> tuple[list[float | None], list[int]]:
    steps = draw(st.lists(st.one_of(st.none(), st.integers(0, 500)), min_size=2, max_size=8))
    register, readings = 1_000.0, []
    for step in steps:
        register += step or 0
        readings.append(None if step is None else register)
    again = draw(st.lists(st.integers(0, len(steps) - 1), max_size=4))
    return readings, draw(st.permutations([*range(len(steps)), *again]))


@settings(max_examples=60, deadline=None)
@given(drawn=_orders())
def test_events_in_any_order_and_twice_make_the_same_transaction(
    bench: Bench, drawn: tuple[list[float | None], list[int]]
) -> None:
    readings, order = drawn
    count = len(readings)
    in_order, mixed = bench.session(Session201), bench.session(Session201)
    answers = {number: in_order.answer("TransactionEvent", event(number, count, readings)) for number in range(count)}
    for number in order:
        assert mixed.answer("TransactionEvent", event(number, count, readings)) == answers[number]
    (one,), (other,) = told(in_order.site), told(mixed.site)
    known = [reading for reading in readings if reading is not None]
    assert one.energy_wh == (known[-1] - known[0] if known else 0)
    same = (
        "energy_wh",
        "meter_start_wh",
        "meter_wh",
        "started_ms",
        "ended_ms",
        "reason",
        "token",
        "device",
        "time_unsure",
    )
    assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
    assert (other.device, other.token, other.reason) == ("CP-2", "card", "EVDisconnected")
    stored = [r for r in mixed.site.writer.pending.urgent_readings if r.device in ("CP-2", "CP-0")]  # 0: not known yet
    registers = [s.value for r in stored for s in r.samples if s.metric == "energy_active_import_register"]
    assert sorted(registers) == known, "each reading is stored once"


def test_a_late_transaction_does_not_end_the_one_that_goes_on(bench: Bench) -> None:
    session = bench.session(Session201)
    for number in range(2):
        session.answer("TransactionEvent", event(number, 3, [2_000, 2_100, None], "now", -10))
    for number in range(3):  # begun and ended without connection, and said after the other one had begun
        session.answer("TransactionEvent", event(number, 3, [1_000, 1_500, 2_000], "before", -60) | {"offline": True})
    now, before = told(session.site)
    assert (now.ended_ms, now.energy_wh, now.offline) == (0, 100, False)
    assert (before.energy_wh, before.offline, before.reason) == (1_000, True, "EVDisconnected")


def start(connector: int, at_ms: int, wh: int = 0, token: str = "CARD") -> dict[str, Any]:
    return {"connectorId": connector, "idTag": token, "meterStart": wh, "timestamp": written(at_ms)}


def stop(number: int, at_ms: int, wh: int) -> dict[str, Any]:
    return {"transactionId": number, "meterStop": wh, "timestamp": written(at_ms), "reason": "Local"}


def test_one_token_charges_at_one_connector_at_a_time(bench: Bench) -> None:
    session = bench.session(Session16)
    first = session.answer("StartTransaction", start(1, NOW_MS - 9_000))
    assert first["idTagInfo"]["status"] == "Accepted"
    second = start(2, NOW_MS - 8_000)
    refused = session.answer("StartTransaction", second)
    assert refused["idTagInfo"]["status"] == "ConcurrentTx"
    session.answer("StopTransaction", stop(first["transactionId"], NOW_MS - 7_000, 10))
    assert session.answer("StartTransaction", second) == refused, "a repeat is answered as it was"
    assert (
        session.answer("StartTransaction", start(3, NOW_MS - 6_000, token="OTHER"))["idTagInfo"]["status"] == "Accepted"
    )
    assert len(told(session.site)) == 3


def test_a_clock_of_1970_does_not_make_two_of_one_nor_one_of_two(bench: Bench) -> None:
    """Its time is always the same: a repeat while it goes on is the same transaction, one after its end is another."""
    session = bench.session(Session16)
    wrong = start(1, 5_000, 100)
    first = session.answer("StartTransaction", wrong)
    assert session.answer("StartTransaction", wrong) == first
    session.answer("StopTransaction", stop(first["transactionId"], 3_605_000, 700))
    second = session.answer("StartTransaction", wrong)
    assert second["transactionId"] != first["transactionId"]
    one, other = told(session.site)
    assert one.time_unsure and other.time_unsure
    assert (one.ended_ms, one.ended_ms - one.started_ms, one.energy_wh) == (NOW_MS, 3_600_000, 600)
    readings = session.site.writer.pending.urgent_readings
    assert {reading.observed_ms for reading in readings} == {NOW_MS}, "no reading is from 1970"


def test_what_the_gateway_remembers_is_enough_after_a_restart(bench: Bench) -> None:
    """All that recognises a repeat is in the batch with the records: another site from the same file answers alike."""
    outbox = bench.opened("kept")
    session = bench.session(Session16, bench.site(outbox))
    begin = start(1, NOW_MS - 90_000, 100)
    first = session.answer("StartTransaction", begin)
    session.site.keep()
    outbox.commit(session.site.writer.pending)
    again = bench.site(outbox)
    later = Session16(again, "CP", 0, lambda starts: True, Random(2))
    assert later.answer("StartTransaction", begin) == first
    assert again.remote_token("CP") == session.site.remote_token("CP")
    later.answer("StopTransaction", stop(first["transactionId"], NOW_MS, 350))
    (one,) = told(again)
    assert (one.energy_wh, one.ended_ms, one.seq) == (250, NOW_MS, 2 + 1)


def test_a_stop_of_nothing_that_is_known_goes_to_quarantine(bench: Bench) -> None:
    session = bench.session(Session16)
    assert session.answer("StopTransaction", stop(77, NOW_MS, 350) | {"idTag": "SECRET"}) == {}
    (refused,) = [each for each in session.site.writer.pending.bulk if isinstance(each, Refused)]
    assert refused.reason == "transaction_unknown"
    assert b"SECRET" not in refused.head
    assert not session.site.writer.pending.raw, "what was refused for good is not read again later"
    assert not told(session.site)


@pytest.mark.parametrize("kind", [Session16, Session201])
def test_a_transaction_too_many_is_refused_until_another_ends(bench: Bench, kind: type[Session]) -> None:
    session = bench.session(kind)

    def begin(connector: int) -> Any:
        if kind is Session16:
            return session.answer("StartTransaction", start(connector, NOW_MS - 9_000, token=f"UNKNOWN-{connector}"))
        first = event(0, 3, [0.0] * 3, transaction=f"tx-{connector}")
        return session.answer("TransactionEvent", first | {"evse": {"id": connector, "connectorId": 1}})

    for connector in range(1, OPEN_MAX + 1):
        begin(connector)
    with pytest.raises(CallRefused, match="too many transactions"):
        begin(OPEN_MAX + 1)
    assert len(session.site.book.open) == OPEN_MAX
    one = session.site.book.open[0]
    session.site.book.end(one, session.site.moment(written(NOW_MS)), None, "Local", False)
    begin(OPEN_MAX + 1)
    assert len(told(session.site)) == OPEN_MAX + 1
