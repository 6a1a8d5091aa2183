"""A soak: a whole site at 500 messages/s. Memory must not grow and no file may stay open, once all is warm.

`make soak` runs it for an hour (`python -m tests.faults.soak SECONDS FOLDER`) and writes FOLDER/soak.json. What is measured
of each program: resident memory and open files, every few seconds; the slope by least squares over what comes after the
warm-up.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.faults.test_kills import Load
from tests.processes import Program, Site, running_site, wait_for

LOADS = 5
RATE_EACH = 100
WARM_SHARE = 0.25


def slope_per_h(points: list[tuple[float, float]]) -> float:
    """Least squares: change an hour of (s, value) pairs."""
    count = len(points)
    mean_t, mean_v = sum(t for t, _ in points) / count, sum(v for _, v in points) / count
    spread = sum((t - mean_t) ** 2 for t, _ in points)
    return 3_600 * sum((t - mean_t) * (v - mean_v) for t, v in points) / spread


class Course:
    """What one program took, over time."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.memory_mb: list[tuple[float, float]] = []
        self.files: list[tuple[float, float]] = []

    def look(self, at_s: float) -> None:
        """Note it now."""
        self.memory_mb.append((at_s, self._program.resident_mb()))
        self.files.append((at_s, self._program.open_files()))

    def report(self, warm_s: float) -> dict[str, float]:
        """After the warm-up."""
        memory = [point for point in self.memory_mb if point[0] >= warm_s]
        files = [count for at, count in self.files if at >= warm_s]
        return {
            "memory_mb_first": round(memory[0][1], 2),
            "memory_mb_last": round(memory[-1][1], 2),
            "memory_mb_per_h": round(slope_per_h(memory), 2),
            "files_min": min(files),
            "files_max": max(files),
            "files_last": files[-1],
        }


def soak(site: Site, for_s: float, every_s: float = 2.0) -> dict[str, Any]:
    """Load a site for so long. Returns the report; the site has settled and its ledger was asked for."""
    loads = [Load(site.local_broker.port, f"soak-{number}", RATE_EACH) for number in range(LOADS)]
    courses = {"edge-agent": Course(site.agent), "cloud-api": Course(site.cloud)}
    began = time.monotonic()
    while (at_s := time.monotonic() - began) < for_s:
        for course in courses.values():
            course.look(at_s)
        time.sleep(every_s)  # the distance of the samples
    sent = sum(len(load.stop()) for load in loads)
    ledger = wait_for(site.balanced, "the ledger to balance", 60, 0.5)
    return {
        "seconds": round(time.monotonic() - began, 1),
        "messages": sent,
        "messages_per_s": round(sent / for_s, 1),
        "ledger": {name: ledger[name] for name in ("produced", "stored", "declared_dropped", "unexplained")},
        "programs": {name: course.report(for_s * WARM_SHARE) for name, course in courses.items()},
        "load_average": os.getloadavg()[0],
    }


def main(seconds: float, folder: Path) -> None:
    """Soak, and write the report."""
    with tempfile.TemporaryDirectory() as data, running_site(Path(data)) as site:
        report = soak(site, seconds, max(2.0, seconds / 1_800))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soak.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]))
