"""One InfluxDB for all tests of this folder; every test has a database of its own."""

from collections.abc import Iterator

import pytest

from tests.influxdb import InfluxServer, running_influx


@pytest.fixture(scope="package")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """The server."""
    with running_influx(tmp_path_factory.mktemp("influx")) as server:
        yield server
