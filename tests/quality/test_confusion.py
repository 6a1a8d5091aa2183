"""A smaller world than the page's holds the lines: what must be found, and how seldom a well device is accused."""

import pytest

from tests.quality.confusion import Confusion, confusion

# A thousandth of looks: a place whose owner is away for longer than ever before looks stuck, and is worth a look.
FALSE_ALARMS_MAX = {"stuck": 0.02, "zero_drift": 0.005, "late": 0.002}


@pytest.fixture(scope="module")
def found() -> Confusion:
    """A hundred devices over twelve days."""
    return confusion(100, 12, 11)


def share(found: Confusion, fault: str, models: tuple[str, ...] = ()) -> float:
    """Of the long episodes of a fault, those that were found."""
    rows = [row for row in found.rows if row.fault == fault and (not models or row.model in models)]
    assert sum(row.long for row in rows) >= 2, "too few episodes to judge"
    return sum(row.long_found for row in rows) / sum(row.long for row in rows)


def test_silence_of_six_hours_is_always_found(found: Confusion) -> None:
    assert share(found, "silent") >= 0.95


def test_stuck_air_is_found(found: Confusion) -> None:
    assert share(found, "stuck", ("elsys-ers2", "milesight-am319")) >= 0.8


def test_well_devices_are_seldom_accused(found: Confusion) -> None:
    for (model, check), count in found.false_alarms.items():
        assert count / found.looks[model] <= FALSE_ALARMS_MAX[check], (model, check, count)
