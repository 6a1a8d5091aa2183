"""Latest values: by event time, whatever the order of arrival; backfill never moves the present back."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_api.live import Hub, LiveState
from cloud_api.live.latest import LiveValue, latest_of_all, newer
from cloud_api.projections.runner import OpenFrame
from contracts.frame import decode_columns, encode_frame
from contracts.reading import Clock, Quality, Reading, Sample
from tests.property.cloud.latest import latest_of
from tests.property.contracts.strategies import readings

T0 = 1_790_000_000_000


def frame(position: int, heard: list[Reading]) -> OpenFrame:
    payload = encode_frame("gw-1", "0123456789abcdef", "bulk", position, T0, 0, heard, [])
    return OpenFrame(position, T0, decode_columns(payload))


moments = st.lists(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 30), st.integers(0, 999)), min_size=1, max_size=6),
    min_size=1, max_size=6,
)  # fmt: skip


@given(moments)
@settings(max_examples=60, deadline=None)
def test_the_latest_by_event_time_wins(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, int, int]]]
) -> None:
    asyncio.run(_check(tmp_path_factory.mktemp("live"), batches))


async def _check(path: Path, batches: list[list[tuple[str, int, int]]]) -> None:
    live = LiveState(path / "live.sqlite", Hub("boot"))
    expected: dict[str, tuple[int, int]] = {}
    for position, batch in enumerate(batches, 1):
        heard = []
        for device, minute, value in batch:
            observed = T0 + minute * 60_000
            heard.append(Reading(device, observed, T0, Clock.DEVICE, (Sample("message_count", value),)))
            if device not in expected or observed >= expected[device][0]:
                expected[device] = (observed, value)
        await live.apply([frame(position, heard)])
    for device, (observed, value) in expected.items():
        seen = live.state(("gw-1", device))["message_count"]
        assert (seen.observed_ms, seen.value) == (observed, value)
    cursor = await live.cursor()
    await live.close()
    again = LiveState(path / "live.sqlite", Hub("boot"))
    await again.load()
    assert await again.cursor() == cursor == len(batches)
    assert {device: again.state(("gw-1", device))["message_count"].value for device in expected} == {
        device: value for device, (_, value) in expected.items()
    }
    await again.close()


@given(st.lists(st.lists(readings(), min_size=1, max_size=4), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_latest_of_many_frames_are_those_of_one_after_the_other(heard: list[list[Reading]]) -> None:
    frames = [frame(position, given_readings).columns for position, given_readings in enumerate(heard, 1)]
    expected: dict[tuple[str, str], dict[str, LiveValue]] = {}
    for columns in frames:
        for device, metrics in latest_of(columns):
            known = expected.setdefault(("gw-1", device), {})
            known |= {metric: value for metric, value in metrics.items() if newer(value, known.get(metric))}
    assert latest_of_all(frames) == expected


@given(st.lists(readings(), min_size=1, max_size=12))
def test_the_latest_of_a_frame_are_those_of_its_readings(given_readings: list[Reading]) -> None:
    whole = frame(1, given_readings).columns
    expected: dict[tuple[str, str], list[tuple[int, int, Sample]]] = {}
    for reading in given_readings:
        for sample in reading.samples:
            at_ms = (reading.observed_ms, reading.received_ms)
            expected.setdefault((reading.device, sample.metric), []).append((*at_ms, sample))
    found: dict[tuple[str, str], LiveValue] = {}
    for device, metrics in latest_of(whole):
        for metric, value in metrics.items():
            if newer(value, found.get((device, metric))):
                found[device, metric] = value
    assert found.keys() == expected.keys()
    for key, samples in expected.items():
        newest_ms = max(observed_ms for observed_ms, _, _ in samples)
        assert any(
            found[key] == LiveValue(sample.value, observed_ms, received_ms, sample.quality, sample.reason)
            for observed_ms, received_ms, sample in samples
            if observed_ms == newest_ms
        )


def test_a_slow_watcher_gets_the_latest_and_blocks_nobody() -> None:
    async def scenario() -> None:
        hub = Hub("boot")
        slow, resumed = hub.subscribe(lambda event: True, "")
        assert not resumed
        for number in range(5_000):
            value = LiveValue(number, T0 + number, T0, Quality.GOOD, "")
            hub.publish("state", {}, ("gw-1", f"d{number % 3}"), {"message_count": value})
        events = await slow.take()
        assert len(events) == 3
        assert {event.metrics["message_count"].value for event in events} == {4_997, 4_998, 4_999}

    asyncio.run(scenario())


def test_a_watcher_resumes_after_the_last_event_it_saw() -> None:
    async def scenario() -> None:
        hub = Hub("boot")
        for number in range(10):
            hub.publish("command", {"number": number})
        resumed_from = hub.last_id
        for number in range(10, 13):
            hub.publish("command", {"number": number})
        watcher, resumed = hub.subscribe(lambda event: True, resumed_from)
        assert resumed
        assert [event.data["number"] for event in await watcher.take()] == [10, 11, 12]
        assert not hub.subscribe(lambda event: True, "another-3")[1], "another run of the program: a new snapshot"
        for number in range(5_000):
            hub.publish("command", {"number": number})
        assert not hub.subscribe(lambda event: True, resumed_from)[1], "too far back: a new snapshot"

    asyncio.run(scenario())
