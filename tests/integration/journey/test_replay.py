"""A replayed day of real data: counts and sums over the API equal those of the file, reckoned here from the file itself."""

import csv
import gzip
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.processes import BIN, Site, running_site, wait_for

DATA = Path(__file__).parents[4] / "shared" / "data"


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def replay(site: Site, dataset: str, day: str) -> None:
    subprocess.run(
        [BIN / "simulate", "replay", dataset, "--data-dir", DATA, "--host", "127.0.0.1", "--port",
         str(site.local_broker.port), "--day", day, "--speed", "max"],
        check=True, timeout=60,
    )  # fmt: skip


def over_the_api(site: Site, metric: str) -> dict[str, tuple[float, float]]:
    """Device name -> (count, sum) of the metric, by the API's own aggregates over all time."""
    found: dict[str, tuple[float, float]] = {}
    for device in site.cloud.get("devices", limit=1000)["items"]:
        query: dict[str, Any] = {"metric": metric, "start_ms": 1_262_304_000_000, "end_ms": 1_900_000_000_000,
                                 "step_ms": 86_400_000, "limit": 1000}  # fmt: skip
        path = f"devices/{device['id']}/telemetry"
        count = sum(point["value"] for point in site.cloud.get(path, aggregate="count", **query)["points"])
        total = sum(point["value"] for point in site.cloud.get(path, aggregate="sum", **query)["points"])
        if count:
            found[device["external_id"]] = (count, total)
    return found


def wait_for_all(site: Site, metric: str, count: int) -> dict[str, tuple[float, float]]:
    def arrived() -> dict[str, tuple[float, float]] | None:
        found = over_the_api(site, metric)
        return found if sum(each[0] for each in found.values()) >= count else None

    answer = wait_for(arrived, f"{count} samples of {metric}", 30, 0.3)
    wait_for(site.balanced, "the ledger to balance")
    return answer


@pytest.mark.parametrize("day", ["2016-10-12"])
@pytest.mark.long
def test_a_day_of_parking(tmp_path: Path, day: str) -> None:
    expected: dict[str, list[int]] = defaultdict(list)
    for row in rows(DATA / "parking_birmingham" / "readings.csv.gz"):
        if row["LastUpdated"].startswith(day):
            expected[row["SystemCodeNumber"]].append(int(row["Occupancy"]))
    assert sum(map(len, expected.values())) > 300, "the file has no such day"
    with running_site(tmp_path) as site:
        replay(site, "parking_birmingham", day)
        found = wait_for_all(site, "occupied_spaces", sum(map(len, expected.values())))
    assert sorted(found.values()) == sorted((len(values), sum(values)) for values in expected.values())


@pytest.mark.parametrize("day", ["2019-03-12"])
def test_a_day_of_charging(tmp_path: Path, day: str) -> None:
    energy_wh: dict[str, list[int]] = defaultdict(list)
    for row in rows(DATA / "ev_acn_jpl" / "sessions.csv.gz"):
        if row["disconnect_utc"].startswith(day):
            energy_wh[row["station"]].append(round(float(row["energy_kwh"]) * 1000))
    assert sum(map(len, energy_wh.values())) > 30, "the file has no such day"
    with running_site(tmp_path) as site:
        replay(site, "ev_acn_jpl", day)
        found = wait_for_all(site, "session_energy", sum(map(len, energy_wh.values())))
    assert sum(count for count, _ in found.values()) == sum(map(len, energy_wh.values()))
    total_wh = sum(sum(values) for values in energy_wh.values())
    assert sum(total for _, total in found.values()) == pytest.approx(total_wh, abs=1)


def test_a_data_set_that_is_not_there_is_said(tmp_path: Path) -> None:
    answer = subprocess.run(
        [BIN / "simulate", "replay", "parking_birmingham", "--data-dir", tmp_path, "--host", "127.0.0.1", "--port", "1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode != 0
    assert "parking_birmingham" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
