"""Fixtures that more than one folder of tests uses."""

from collections.abc import Iterator

import pytest

from tests.postgres import Postgres, running_postgres
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
