"""What quality keeps of frames is what it would keep of their samples one by one, whatever the batches."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_api.quality import QualityTracks
from cloud_api.quality.suite import TRACKED
from cloud_api.quality.tracks import DeviceTracks
from contracts.reading import Reading
from tests.property.cloud.latest import latest_of
from tests.property.cloud.test_live import frame
from tests.property.contracts.strategies import readings


@given(st.lists(st.lists(readings(), min_size=1, max_size=4), min_size=1, max_size=6), st.integers(1, 6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_batches_make_no_difference(
    tmp_path_factory: pytest.TempPathFactory, heard: list[list[Reading]], many: int
) -> None:
    frames = [frame(position, given_readings) for position, given_readings in enumerate(heard, 1)]
    expected: dict[str, DeviceTracks] = {}
    for each in frames:
        for device, metrics in latest_of(each.columns):
            tracks = expected.setdefault(device, DeviceTracks())
            for metric, value in metrics.items():
                tracks.heard([value.observed_ms])
                if metric in TRACKED and value.value is not None:
                    tracks.take(metric, [(value.observed_ms, value.value)])

    async def found() -> dict[str, DeviceTracks]:
        quality = QualityTracks(tmp_path_factory.mktemp("quality") / "quality.sqlite")
        try:
            for start in range(0, len(frames), many):
                await quality.apply(frames[start : start + many])
            return {device: quality.tracks(("gw-1", device)) or DeviceTracks() for device in expected}
        finally:
            await quality.close()

    assert asyncio.run(found()) == expected
