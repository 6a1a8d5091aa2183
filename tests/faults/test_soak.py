"""F47 in short: after warming up, memory does not climb and no file stays open. The hour is `make soak`."""

from pathlib import Path

import pytest

from tests.faults import LONG
from tests.faults.soak import slope_per_h, soak
from tests.processes import running_site


def test_the_slope_of_a_line_is_its_slope() -> None:
    assert abs(slope_per_h([(at, 10 + at / 360) for at in range(100)]) - 10) < 1e-6


@pytest.mark.long
def test_memory_and_files_stay_flat(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        report = soak(site, 900 if LONG else 12, 1.0)
    print(report)
    assert report["messages_per_s"] > 300, "there was no load"
    assert report["ledger"]["unexplained"] == 0
    assert report["ledger"]["stored"] == report["ledger"]["produced"]
    for name, taken in report["programs"].items():
        assert taken["files_max"] - taken["files_min"] <= 6, f"{name} opens files: {taken}"
    # Half a minute can't tell a slope of 1 MB an hour from a heap that settles: only a leak that runs is seen here.
    agent = report["programs"]["edge-agent"]
    assert agent["memory_mb_last"] - agent["memory_mb_first"] < 4, agent
