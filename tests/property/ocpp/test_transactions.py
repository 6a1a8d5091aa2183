"""Transactions: whatever comes twice or in another order, each happened once, with its energy; registers may be reset."""

from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.ocpp.metering import CAR_WH_MAX, JITTER_WH, consumed
from edge_agent.ocpp.moments import Moment, moment, written
from edge_agent.ocpp.transactions import SEEN_RANGES_MAX, Begin, Book, Transaction
from edge_agent.ocpp.values import latest_register

NOW_MS = 1_800_000_000_000
MINUTE_MS = 60_000


def book() -> Book:
    ids = iter(range(10**9))
    return Book([], lambda: f"t{next(ids)}")


def at(minute: float, unsure: bool = False) -> Moment:
    at_ms = NOW_MS + int(minute * MINUTE_MS)
    return Moment(at_ms, unsure, at_ms)


def begin(key: str = "a", minute: float = 0, wh: float | None = 0, connector: int = 1, token: str = "") -> Begin:
    return Begin("CP", connector, key, token, at(minute), wh, False)


@given(st.lists(st.tuples(st.floats(0, 5_000), st.booleans()), min_size=1, max_size=20))
def test_energy_is_what_was_consumed_also_through_resets(steps: list[tuple[float, bool]]) -> None:
    """A register that is reset right after a reading, and shows it, counts from zero: nothing is missing."""
    transactions, true_wh, register = book(), 0.0, 100_000.0
    one = transactions.begin(begin(wh=register))
    for minute, (wh, reset) in enumerate(steps, 1):
        shows = register - wh > JITTER_WH  # one that is back where it was can't be seen
        register = (0.0 if reset and shows else register) + wh
        true_wh += wh
        transactions.meter(one, register, at(15 * minute))
    transactions.end(one, at(15 * len(steps)), register, "Local", False)
    assert abs(one.energy_wh - true_wh) < 1e-6


@given(st.lists(st.tuples(st.integers(-(10**7), 10**7), st.floats(0, 1e9)), max_size=30))
def test_energy_never_falls_whatever_the_register_does(readings: list[tuple[int, float]]) -> None:
    transactions = book()
    one = transactions.begin(begin(wh=None))
    energy_wh = 0.0
    for turn, wh in readings:
        transactions.meter(one, wh, at(0), turn)
        assert one.energy_wh >= energy_wh
        energy_wh = one.energy_wh


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_no_more_is_counted_after_a_fall_than_a_car_can_take(before: float, after: float) -> None:
    energy_wh, goes_on_from = consumed(before, after)
    assert energy_wh >= 0
    if after < before:
        assert energy_wh <= min(after, CAR_WH_MAX)
        assert goes_on_from in (before, after)


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.permutations(range(n + 2)), st.randoms())))
def test_readings_in_any_order_give_the_same_energy(drawn: tuple[int, list[int], Random]) -> None:
    count, order, chance = drawn
    readings = [(n, 1_000.0 + 37 * n * n) for n in range(count + 2)]
    transactions = book()
    one = transactions.begin(begin(wh=None))
    for place in order:
        for _ in range(chance.randint(1, 2)):
            transactions.meter(one, readings[place][1], at(0), readings[place][0])
    assert one.energy_wh == readings[-1][1] - readings[0][1]
    assert (one.meter_start_wh, one.meter_wh) == (readings[0][1], readings[-1][1])


@given(st.lists(st.integers(0, 400), max_size=300))
def test_a_seen_number_stays_seen_within_bounds(numbers: list[int]) -> None:
    one = book().begin(begin())
    for number in numbers:
        one.see(number)
        assert one.has_seen(number)
    assert all(one.has_seen(number) for number in numbers)
    assert len(one.seen) <= SEEN_RANGES_MAX
    if len(one.seen) < SEEN_RANGES_MAX:
        assert [n for n in range(401) if one.has_seen(n)] == sorted(set(numbers))


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(1, 50)), min_size=1, max_size=30))
def test_at_a_connector_one_transaction_goes_on_at_a_time(begins: list[tuple[int, int]]) -> None:
    """One whose end is never said has ended when the next begins, and takes its own end when that comes after all."""
    transactions, minute = book(), 0
    known: list[Transaction] = []
    for key, (connector, pause) in enumerate(begins):
        minute += pause
        known.append(transactions.begin(begin(str(key), minute, connector=connector)))
        assert len({(one.charge_point, one.connector) for one in transactions.open}) == len(transactions.open)
    for one in known:
        assert one.goes_on
        transactions.end(one, at(minute + 1), 10, "EVDisconnected", False)
        assert (one.reason, one.energy_wh, one.record(0).time_unsure) == ("EVDisconnected", 10, False)
    assert not transactions.open


def test_of_a_wrong_clock_the_duration_is_still_right() -> None:
    """Both said late, by a clock of 1970: the transaction ended when we heard of it, and lasted as long as it says."""
    transactions, hour_ms = book(), 3_600_000
    one = transactions.begin(Begin("CP", 1, "a", "", Moment(NOW_MS, True, hour_ms), 0, False))
    transactions.end(one, Moment(NOW_MS + 1_000, True, 3 * hour_ms), 10, "Local", False)
    assert one.ended_ms - one.started_ms == 2 * hour_ms
    assert one.record(0).time_unsure


@given(st.lists(st.tuples(st.integers(0, 5_000), st.booleans()), min_size=1, max_size=12))
def test_a_clock_that_is_wrong_for_a_while_costs_no_energy(steps: list[tuple[int, bool]]) -> None:
    """Readings come in their order; some with their time, some with the time of arrival, which is later."""
    transactions, register = book(), 4_000_000.0
    one = transactions.begin(Begin("CP", 1, "a", "", Moment(NOW_MS + 10**8, True, 5), register, False))
    for minute, (wh, unsure) in enumerate(steps):
        register += wh
        when = Moment(NOW_MS + 10**8 + minute, True, minute) if unsure else at(minute)
        transactions.meter(one, register, when)
    transactions.end(one, at(len(steps)), register, "Local", False)
    assert one.energy_wh == sum(wh for wh, _ in steps)
    sure = [minute for minute, (_, unsure) in enumerate(steps) if not unsure]
    assert one.started_ms <= NOW_MS + (sure[0] if sure else len(steps)) * MINUTE_MS


def test_only_an_open_transaction_is_recognised_by_a_time_that_means_nothing() -> None:
    transactions = book()
    one = transactions.begin(begin()._replace(start=b"same"))
    assert transactions.started_by("CP", b"same", unsure=True) is one
    transactions.end(one, at(5), 10, "Local", False)
    assert transactions.started_by("CP", b"same", unsure=True) is None
    assert transactions.started_by("CP", b"same", unsure=False) is one


@given(st.text() | st.integers() | st.none() | st.datetimes().map(lambda when: when.isoformat()))
def test_any_text_is_a_moment_or_none(text: object) -> None:
    found = moment(text, NOW_MS)
    assert found.unsure or found.said_ms == found.at_ms <= NOW_MS + 5 * MINUTE_MS


@given(st.integers(1_767_225_600_000, NOW_MS))
def test_a_time_is_read_as_it_was_written(at_ms: int) -> None:
    assert moment(written(at_ms), NOW_MS) == (at_ms, False, at_ms)
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone().isoformat()
    assert moment(local, NOW_MS).at_ms == at_ms


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["timestamp", "sampledValue", "value", "unit", "unitOfMeasure", "multiplier", "measurand", "context"]
    ), inner, max_size=4),
)  # fmt: skip


@given(JSON)
def test_no_meter_value_can_stop_us(found: Any) -> None:
    register = latest_register(found, NOW_MS)
    assert register is None or 0 <= register.wh < 1e12
