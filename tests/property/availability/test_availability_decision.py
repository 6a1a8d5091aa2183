"""A place is free only on a fresh word."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_api.availability import Decision, Latest, decide
from contracts.reading import Quality
from contracts.vocabulary import CONNECTOR_STATUS, METRICS, SPOT_STATUS

NOW = 1_790_000_000_000
LIMIT = METRICS["spot_status"].stale_after_ms

times = st.integers(NOW - 10 * LIMIT, NOW + LIMIT)
qualities = st.sampled_from(Quality)
spots = st.builds(Latest, st.sampled_from([*SPOT_STATUS, None]), times, qualities)
connectors = st.builds(Latest, st.sampled_from([*CONNECTOR_STATUS, None]), times, qualities)
health = st.dictionaries(
    st.sampled_from(["temperature", "battery_level", "rssi"]), st.builds(Latest, st.just(1.0), times, qualities)
)


@given(spots, health)
def test_free_is_said_only_on_a_good_fresh_word(spot: Latest, others: dict[str, Latest]) -> None:
    latest = {**others, "spot_status": spot}
    decision = decide("parking", latest, NOW)
    if decision.status == "free":
        assert spot.value == "free" and spot.quality is not Quality.BAD
        assert any(NOW - LIMIT <= sample.observed_ms <= NOW + 60_000 for sample in latest.values())
        assert spot.observed_ms <= NOW + 60_000


@given(spots, health)
def test_past_the_limit_it_is_unknown(spot: Latest, others: dict[str, Latest]) -> None:
    latest = {**others, "spot_status": spot}
    newest = max(sample.observed_ms for sample in latest.values())
    decision = decide("parking", latest, newest + LIMIT + 1)
    assert (decision.status, decision.confidence) == ("unknown", 0.0)


@given(connectors, health)
def test_confidence_is_a_share_and_zero_exactly_for_unknown(connector: Latest, others: dict[str, Latest]) -> None:
    decision = decide("charging", {**others, "connector_status": connector}, NOW)
    assert 0.0 <= decision.confidence <= 1.0
    assert (decision.confidence == 0.0) == (decision.status == "unknown")
    assert decision.age_ms is None or decision.age_ms >= 0
    assert decision.reason


@given(spots, st.integers(0, LIMIT), st.integers(0, LIMIT))
def test_confidence_never_grows_with_age(spot: Latest, one: int, other: int) -> None:
    younger, older = sorted((one, other))
    first = decide("parking", {"spot_status": spot}, spot.observed_ms + younger)
    second = decide("parking", {"spot_status": spot}, spot.observed_ms + older)
    assert second.confidence <= first.confidence


def test_a_heartbeat_keeps_an_older_word() -> None:
    latest = {
        "spot_status": Latest("free", NOW - 3 * LIMIT, Quality.GOOD),
        "temperature": Latest(12.5, NOW - 1000, Quality.GOOD),
    }
    assert decide("parking", latest, NOW) == Decision("free", 1000, 1.0, "alive_since")


def test_a_heartbeat_does_not_make_a_place_out_of_silence() -> None:
    assert decide("parking", {"temperature": Latest(12.5, NOW, Quality.GOOD)}, NOW).status == "unknown"


def test_a_clock_far_ahead_is_not_believed() -> None:
    decision = decide("parking", {"spot_status": Latest("free", NOW + 3_600_000, Quality.GOOD)}, NOW)
    assert (decision.status, decision.reason) == ("unknown", "clock_ahead")


def test_statuses_of_chargers() -> None:
    said = {
        word: decide("charging", {"connector_status": Latest(word, NOW, Quality.GOOD)}, NOW).status
        for word in CONNECTOR_STATUS
    }
    assert [word for word, status in said.items() if status == "free"] == ["Available"]
    assert said["Reserved"] == "reserved"
    assert said["Faulted"] == said["Unavailable"] == "out_of_service"
    assert said["Charging"] == said["Finishing"] == "occupied"
