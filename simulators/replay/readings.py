"""What a data set gives: readings with their own time. And how its files are read: gzip, CSV, a source's zone."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.reading import Value


class DatasetError(Exception):
    """The data set is not there, or holds nothing for the day. The message is for people."""


class DataReading(NamedTuple):
    """One row, or cell, of a file as a device's reading.

    device       topic-safe id made of the data set's short name and the source's own name
    observed_ms  the source's time, ms UTC
    samples      metric -> value in the vocabulary's unit, as it stands in the file, however odd
    """

    device: str
    kind: str
    observed_ms: int
    samples: dict[str, Value]


class Day(NamedTuple):
    """A day of the source's calendar: [start_ms, end_ms), ms UTC."""

    start_ms: int
    end_ms: int


ALWAYS = Day(-(2**62), 2**62)


def zone_of(name: str) -> ZoneInfo:
    """The source's zone. Raises DatasetError where the machine has no zone data."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError as error:
        raise DatasetError(f"this machine knows no time zone {name}: install tzdata") from error


def day_of(text: str, zone: str) -> Day:
    """``YYYY-MM-DD`` in the source's zone. Raises DatasetError when it is not a date."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise DatasetError(f"{text!r} is not a day YYYY-MM-DD") from error
    midnights = (datetime.combine(each, time(), zone_of(zone)) for each in (day, day + timedelta(days=1)))
    start, end = (round(midnight.timestamp() * 1000) for midnight in midnights)
    return Day(start, end)


def utc_ms(text: str, zone: ZoneInfo) -> int:
    """ISO date and time as ms UTC; what has no zone is in ``zone`` (of an hour that comes twice, the first)."""
    stamp = datetime.fromisoformat(text)
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=zone)
    return round(stamp.astimezone(UTC).timestamp() * 1000)


def number(text: str, factor: int = 1) -> int | float:
    """The file's number, multiplied exactly; an int when it is one. Raises ValueError."""
    try:
        exact = Decimal(text) * factor
    except ArithmeticError as error:
        raise ValueError(f"not a number: {text!r}") from error
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows of a gzip CSV file. Raises DatasetError when it is not there."""
    path = folder / name
    if not path.is_file():
        raise DatasetError(f"the data set is not there: {path}")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def device_id(dataset: str, name: str) -> str:
    """An id that may stand in a topic: letters, digits, ``-``, ``_`` and ``.``; everything else becomes ``-``."""
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in name)
    return f"{dataset}-{safe}"
