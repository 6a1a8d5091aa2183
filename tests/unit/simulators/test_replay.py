"""Real data sets: what is read is what the files say, counted here by other means."""

import csv
import gzip
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from simulators import cli
from simulators.replay import player
from simulators.replay.datasets import DATASETS, FIXTURES, readings_of, totals
from simulators.replay.fixtures import fixture_messages, payload_of
from simulators.replay.readings import DatasetError, device_id, number

DATA = Path(__file__).parents[4] / "shared" / "data"
real_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data sets are not at {DATA}")


def _rows(dataset: str, name: str) -> Iterator[list[str]]:
    with gzip.open(DATA / dataset / name, "rt") as file:
        yield from csv.reader(file)


@real_data
def test_a_day_of_charging_is_the_days_sessions() -> None:
    got = totals("ev_acn_jpl", DATA, "2019-03-05")
    ended = [row for row in _rows("ev_acn_jpl", "sessions.csv.gz") if row[4].startswith("2019-03-05")]
    assert ended
    assert got.metrics["session_energy"] == {
        "count": len(ended),
        "sum": sum(int(row[7].replace(".", "").ljust(len(row[7].split(".")[0]) + 3, "0")) for row in ended),
    }
    assert got.metrics["session_duration"]["count"] == len(ended)


@real_data
def test_a_day_of_car_parks_is_the_days_rows_dirt_and_all() -> None:
    got = totals("parking_birmingham", DATA, "2016-10-05")
    rows = [row for row in _rows("parking_birmingham", "readings.csv.gz") if row[3].startswith("2016-10-05")]
    assert got.readings == len(rows) == 432
    assert got.metrics["occupied_spaces"] == {"count": 432, "sum": sum(int(row[2]) for row in rows)}
    first = min(row[3] for row in rows)
    assert first == "2016-10-05 07:50:13"
    assert got.start_ms == 1_475_650_213_000, "summer time: an hour before UTC's reading of the same words"
    every = totals("parking_birmingham", DATA)
    assert every.readings == 28_494, "exact duplicates and negative counts are sent as they are"


@real_data
def test_a_day_of_free_places_is_the_days_cells() -> None:
    got = totals("parking_germany", DATA, "2026-07-01")
    cells = [
        int(cell)
        for row in _rows("parking_germany", "free_spaces.csv.gz")
        if row[0].startswith("2026-07-01")
        for cell in row[1:]
        if cell
    ]
    assert got.metrics == {"free_spaces": {"count": len(cells), "sum": sum(cells)}}


@real_data
@pytest.mark.parametrize(
    ("dataset", "readings"),
    [
        ("bins_spain_paper", 259 * 217),
        ("building_occupancy_uci", 20_560),
        ("building_sml2010", 4_137 * 2),
        ("building_appliances_uci", 19_735 * 9),
    ],
)
def test_all_rows_are_read_and_in_order(dataset: str, readings: int) -> None:
    got = readings_of(dataset, DATA)
    assert len(got) == readings
    assert all(a.observed_ms <= b.observed_ms for a, b in pairwise(got))


@real_data
def test_the_fixtures_are_sent_by_their_own_topics() -> None:
    messages = list(fixture_messages(DATA))
    assert len(messages) == 45
    assert any(message.topic == "openevse-7b2c/state" and message.payload == b"3" for message in messages)


def test_a_data_set_that_is_not_there_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for dataset in DATASETS:
        assert cli.main(["replay", dataset, "--data-dir", str(tmp_path / "data"), "--port", "1"]) == 1
        told = capsys.readouterr().err
        assert "not there" in told
        assert told.count("\n") == 1
    with pytest.raises(DatasetError, match="no days"):
        totals(FIXTURES, tmp_path)


def test_a_payload_carries_the_sources_time(tmp_path: Path) -> None:
    folder = tmp_path / "parking_birmingham"
    folder.mkdir()
    with gzip.open(folder / "readings.csv.gz", "wt") as file:
        file.write("SystemCodeNumber,Capacity,Occupancy,LastUpdated\nNIA North,480,-8,2016-11-01 08:00:00\n")
    assert player.timed_messages("parking_birmingham", tmp_path, "2016-11-01") == [
        (0, player.message_of(readings_of("parking_birmingham", tmp_path)[0]))
    ]
    message = player.message_of(readings_of("parking_birmingham", tmp_path)[0])
    assert message.topic == "linli-device/reading/birmingham-NIA-North"
    assert json.loads(message.payload) == {
        "observed_at_ms": 1_477_987_200_000,
        "kind": "parking",
        "samples": {"occupied_spaces": -8, "total_spaces": 480},
    }
    with pytest.raises(DatasetError, match="nothing for 2016-11-02"):
        readings_of("parking_birmingham", tmp_path, "2016-11-02")
    with pytest.raises(DatasetError, match="not a day"):
        readings_of("parking_birmingham", tmp_path, "yesterday")


def test_numbers_are_exact_and_ids_fit_in_topics() -> None:
    assert number("6.31", 1000) == 6310
    assert isinstance(number("6.31", 1000), int)
    assert number("23.7") == 23.7
    with pytest.raises(ValueError, match="not a number"):
        number("much")
    assert device_id("x", "a/b #+ü") == "x-a-b----"
    assert payload_of("hex", "00ff") == b"\x00\xff"
