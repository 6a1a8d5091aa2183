"""Fixtures that more than one folder of tests uses."""

from collections.abc import Iterator

import pytest

from tests.faults import LONG
from tests.postgres import Postgres, running_postgres
from tests.processes import BACKENDS, USUAL, Stores, running_stores
from tests.system import RunningSystem, running_demo


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is marked ``long`` takes more time than `make test` has; `make faults` runs it."""
    if LONG:
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("long")]


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


@pytest.fixture(params=BACKENDS if LONG and USUAL == "embedded" else (USUAL,), scope="session")
def stores(request: pytest.FixtureRequest) -> Stores | None:
    """For `running_site`: a test that takes this runs on both sets of backends with LINLI_FAULTS=long."""
    return None if request.param == "embedded" else request.getfixturevalue("database_servers")
