"""The data sets by name, the readings of a day in order of time, and the file's own counts and sums."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from simulators.replay import facilities
from simulators.replay.readings import ALWAYS, DataReading, DatasetError, day_of

FIXTURES = "fixtures"


class Dataset(NamedTuple):
    """One data set. ``zone`` is its calendar's; ``read(folder)`` gives its readings in the file's order."""

    zone: str
    read: Callable[[Path], Iterator[DataReading]]


def _no_readings(folder: Path) -> Iterator[DataReading]:
    raise DatasetError("the fixtures are messages, not readings: they have no days and no sums")


DATASETS: Mapping[str, Dataset] = {
    "ev_acn_jpl": Dataset("UTC", facilities.ev_acn_jpl),
    "ev_acn_caltech_raw": Dataset("UTC", facilities.ev_acn_caltech_raw),
    "parking_birmingham": Dataset("Europe/London", facilities.parking_birmingham),
    "parking_germany": Dataset("UTC", facilities.parking_germany),
    "bins_spain_paper": Dataset("Europe/Madrid", facilities.bins_spain_paper),
    "building_occupancy_uci": Dataset("Europe/Brussels", facilities.building_occupancy_uci),
    "building_sml2010": Dataset("Europe/Madrid", facilities.building_sml2010),
    "building_appliances_uci": Dataset("Europe/Brussels", facilities.building_appliances_uci),
    FIXTURES: Dataset("UTC", _no_readings),
}


class Totals(NamedTuple):
    """What a file says of a day.

    start_ms, end_ms  the first observed time and the last, ms UTC
    metrics           metric -> {"count", "sum"}; sum over numbers only, in the vocabulary's unit
    devices           device -> metric -> the same
    """

    readings: int
    start_ms: int
    end_ms: int
    metrics: dict[str, dict[str, float]]
    devices: dict[str, dict[str, dict[str, float]]]


def readings_of(dataset: str, data_dir: Path, day: str | None = None) -> list[DataReading]:
    """The readings of a day (or of all), by time; those of one time in the file's order.

    Raises DatasetError when the data set is not there or has nothing for the day, KeyError for an unknown name.
    """
    known = DATASETS[dataset]
    span = ALWAYS if day is None else day_of(day, known.zone)
    kept = [r for r in known.read(data_dir / dataset) if span.start_ms <= r.observed_ms < span.end_ms]
    if not kept:
        raise DatasetError(f"{dataset} has nothing for {day}")
    kept.sort(key=lambda reading: reading.observed_ms)
    return kept


def totals(dataset: str, data_dir: Path, day: str | None = None) -> Totals:
    """The file's own counts and sums for a day. Raises as ``readings_of``."""
    readings = readings_of(dataset, data_dir, day)
    metrics: dict[str, dict[str, float]] = {}
    devices: dict[str, dict[str, dict[str, float]]] = {}
    for reading in readings:
        for metric, value in reading.samples.items():
            for account in (metrics, devices.setdefault(reading.device, {})):
                entry = account.setdefault(metric, {"count": 0, "sum": 0})
                entry["count"] += 1
                if isinstance(value, int | float) and not isinstance(value, bool):
                    entry["sum"] += value
    return Totals(len(readings), readings[0].observed_ms, readings[-1].observed_ms, metrics, devices)
