"""The stores under test, each on a real engine."""

import secrets
from pathlib import Path

from cloud_api.telemetry import TelemetryStore
from cloud_api.telemetry.duckdb_store import DuckDbStore
from cloud_api.telemetry.influx_http import InfluxAddress
from cloud_api.telemetry.influx_store import InfluxStore
from contracts.messages import Refused
from tests.influxdb import InfluxServer

ENGINES = ("duckdb", "influxdb")


class Refusals:
    """What a store would never take."""

    def __init__(self) -> None:
        self.found: list[tuple[str, Refused]] = []

    async def add(self, gateway: str, refused: Refused) -> None:
        """See ``influx_store.Refuse``."""
        self.found.append((gateway, refused))


async def refuse_nothing(gateway: str, refused: Refused) -> None:
    """For tests in which everything must be taken."""
    raise AssertionError((gateway, refused))


def fresh(server: InfluxServer) -> InfluxAddress:
    """A database that nobody has used."""
    return InfluxAddress(server.url, f"t{secrets.token_hex(4)}")


async def open_influx(address: InfluxAddress) -> InfluxStore:
    """With its database made."""
    store = InfluxStore(address, refuse_nothing)
    await store.cursor()
    return store


async def open_duckdb(folder: Path) -> TelemetryStore:
    """In a file of its own."""
    return DuckDbStore(folder / "telemetry.duckdb")
