"""Fixtures that more than one folder of tests uses."""

from collections.abc import Iterator

import pytest

from tests.postgres import Postgres, running_postgres
from tests.processes import BACKENDS, USUAL, Stores, running_stores
from tests.system import RunningSystem, running_demo


@pytest.fixture(scope="session")
def running_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """The whole system, started once for all tests that look at it."""
    with running_demo(tmp_path_factory.mktemp("demo") / "var") as system:
        yield system


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL, started once for all tests that want databases of their own in it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def database_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """PostgreSQL and InfluxDB, started once for all sites that only want databases of their own there."""
    with running_stores(tmp_path_factory.mktemp("stores")) as servers:
        yield servers


@pytest.fixture(params=BACKENDS if USUAL == "embedded" else (USUAL,), scope="session")
def stores(request: pytest.FixtureRequest) -> Stores | None:
    """For `running_site`: a test that takes this runs on both sets of backends, also in CI."""
    return None if request.param == "embedded" else request.getfixturevalue("database_servers")
