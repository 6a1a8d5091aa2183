"""The cloud's peer: the same values written to InfluxDB directly, with its own client, on the same two cores."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from influxdb import InfluxDBClient

from contracts.reading import Reading
from tests.brokers import free_port, wait_until_listening

LINES_A_WRITE = 5_000
Batch = list[Reading]


@contextmanager
def running_influxd(folder: Path) -> Iterator[int]:
    """A real influxd with what costs nothing but time turned off; gives its port."""
    port = free_port()
    settings = {
        "HTTP_BIND_ADDRESS": f"127.0.0.1:{port}", "BIND_ADDRESS": f"127.0.0.1:{free_port()}",
        "META_DIR": f"{folder}/meta", "DATA_DIR": f"{folder}/data", "DATA_WAL_DIR": f"{folder}/wal",
        "DATA_INDEX_VERSION": "tsi1", "DATA_QUERY_LOG_ENABLED": "false", "HTTP_LOG_ENABLED": "false",
        "MONITOR_STORE_ENABLED": "false", "REPORTING_DISABLED": "true",
    }  # fmt: skip
    with (folder / "influxd.log").open("wb") as log:
        server = subprocess.Popen(
            [shutil.which("influxd") or "/usr/bin/influxd"], stdout=log, stderr=log,
            env={**os.environ, **{f"INFLUXDB_{name}": value for name, value in settings.items()}},
        )  # fmt: skip
    try:
        wait_until_listening(port, 30)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def lines_by_reading(batch: Batch) -> list[str]:
    """A line a reading, its values as fields: the least bytes a value. Equal times are kept apart by nanoseconds."""
    return [
        f"reading,gateway=gw-bench,device={reading.device} "
        + ",".join([f"{metric}={value}" for metric, value, _, _ in reading.samples])
        + f" {reading.observed_ms * 1_000_000 + place}"
        for place, reading in enumerate(batch)
    ]


def lines_by_value(batch: Batch) -> list[str]:
    """A line a value: a series for each device and metric, as Linli's store has them."""
    return [
        f"{metric},gateway=gw-bench,device={reading.device} value={value} {reading.observed_ms * 1_000_000 + place}"
        for place, reading in enumerate(batch)
        for metric, value, _, _ in reading.samples
    ]


def points_by_reading(batch: Batch) -> list[dict[str, object]]:
    """The client's own form."""
    return [
        {
            "measurement": "reading",
            "tags": {"gateway": "gw-bench", "device": reading.device},
            "time": reading.observed_ms * 1_000_000 + place,
            "fields": {metric: float(value) for metric, value, _, _ in reading.samples if value is not None},
        }
        for place, reading in enumerate(batch)
    ]


Make = Callable[[Batch], list[str] | list[dict[str, object]]]
WAYS: dict[str, tuple[Make, str, int, int]] = {
    "lines_by_reading": (lines_by_reading, "line", LINES_A_WRITE, 1),
    "lines_by_reading_two_writers": (lines_by_reading, "line", LINES_A_WRITE, 2),
    "lines_by_value": (lines_by_value, "line", LINES_A_WRITE // 4, 1),
    "points_by_reading": (points_by_reading, "json", LINES_A_WRITE, 1),
}
"""Name -> (how a batch is written, protocol, readings a write, writers at once)."""


def values_per_s(folder: Path, readings: list[Reading]) -> dict[str, float]:
    """Values a second that each way of writing brings into InfluxDB, acknowledged and queryable."""
    values = sum(len(reading.samples) for reading in readings)
    found: dict[str, float] = {}
    with running_influxd(folder) as port:
        for way, (make, protocol, size, writers) in WAYS.items():
            batches = [readings[at : at + size] for at in range(0, len(readings), size)]
            client = InfluxDBClient("127.0.0.1", port, database="bench", gzip=True)
            client.drop_database("bench")
            client.create_database("bench")

            def write(batch: Batch, client: InfluxDBClient = client, make: Make = make, form: str = protocol) -> None:
                client.write_points(make(batch), "n", protocol=form)

            began = time.monotonic()
            with ThreadPoolExecutor(writers) as pool:
                list(pool.map(write, batches))
            found[way] = values / (time.monotonic() - began)
            measurement, field = ("temperature", "value") if way == "lines_by_value" else ("reading", "temperature")
            stored = next(iter(client.query(f"SELECT count({field}) FROM {measurement}").get_points()))["count"]
            assert stored == len(readings), f"InfluxDB holds {stored} of {len(readings)}"
            client.close()
    return found
