"""`make bench`: every measure some times (LINLI_BENCH_RUNS, 3), written to docs/benchmarks.md, .json and its plots.

One run is one round through everything, so that what is compared ran in the same minutes. A measure that fails is told
and counted as missing; the rest goes on.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.bench import measures
from tests.bench.compare import compare
from tests.bench.figures import AIMS, Figures
from tests.bench.page import page_of
from tests.bench.plots import plots_of
from tests.bench.systems import Linli, MosquittoBridge, ThingsBoardGateway
from tests.bench.trust import SecuredLinli, costs

DOCS = Path(__file__).parents[2] / "docs"
LOCK = Path(__file__).parents[2] / "locks" / "bench.txt"
RUNS = int(os.environ.get("LINLI_BENCH_RUNS", "3"))
Measure = Callable[[Path], dict[str, float]]
MEASURES: dict[str, Measure] = {
    "edge": partial(compare, Linli),
    "secured": partial(compare, SecuredLinli),
    "peer": partial(compare, ThingsBoardGateway),
    "bridge": partial(compare, MosquittoBridge),
    "drain": measures.drain,
    "cloud": measures.cloud,
    "live": measures.live,
    "decode": measures.decode,
    "costs": costs,
}
COMPARED = ("edge", "secured", "peer", "bridge")
"""Their figures have the same names; they get the measure's name before them."""
NAMED_WITHOUT = ("uplink_bytes_per_reading",)
"""Of the edge: known by this name alone."""


def main() -> None:
    """Run, print, write."""
    began = time.monotonic()
    page = ""
    found: dict[str, list[float]] = {}
    for run in range(1, RUNS + 1):
        figures: dict[str, float] = {}
        for name, measure in MEASURES.items():
            at_s = time.monotonic() - began
            print(f"{at_s:6.0f} s  run {run}/{RUNS}  {name}", file=sys.stderr, flush=True)
            figures.update(one(name, measure))
        figures.update(ratios(figures))
        for key, value in figures.items():
            found.setdefault(key, []).append(value)
        page = write(found)  # after each round: one that is cut short leaves the earlier ones
    print(page)
    missing = [name for name in AIMS if name not in found]
    print(f"{time.monotonic() - began:6.0f} s  written to {DOCS}", file=sys.stderr)
    if missing:
        sys.exit(f"not measured: {', '.join(missing)}")


def one(name: str, measure: Measure) -> dict[str, float]:
    """One measure in a folder of its own; nothing when it fails."""
    with tempfile.TemporaryDirectory(prefix="linli-bench-", ignore_cleanup_errors=True) as folder:
        try:
            figures = measure(Path(folder))
        except Exception:  # noqa: BLE001  the other measures are worth having all the same
            traceback.print_exc()
            return {}
    if name not in COMPARED:
        return figures
    return {
        key if name == "edge" and key in NAMED_WITHOUT else f"{name}_{key}": value for key, value in figures.items()
    }


def ratios(figures: dict[str, float]) -> dict[str, float]:
    """Ours to the peer's, and ours with everything on to ours without, of one run."""
    pairs = {
        "secured_cpu_ratio": ("secured_cpu_s_per_1k", "edge_cpu_s_per_1k"),
        "secured_readings_ratio": ("secured_readings_per_s", "edge_readings_per_s"),
        "edge_ratio_to_peer": ("edge_readings_per_s", "peer_readings_per_s"),
        "edge_cpu_ratio_to_peer": ("edge_cpu_s_per_1k", "peer_cpu_s_per_1k"),
        "edge_cpu_ratio_to_peer_at_500": ("edge_cpu_s_per_1k_at_500", "peer_cpu_s_per_1k_at_500"),
    }
    return {
        name: figures[ours] / figures[theirs]
        for name, (ours, theirs) in pairs.items()
        if ours in figures and figures.get(theirs)
    }


def write(found: dict[str, list[float]]) -> str:
    """All files, each whole or not at all. Returns the page."""
    figures: Figures = {
        name: {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": len(values)}
        for name, values in sorted(found.items())
    }
    about = {
        "commit": subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=DOCS, text=True).strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}",
        "peer": re.search(r"^thingsboard-gateway==(\S+)", LOCK.read_text(), re.MULTILINE)[1],  # type: ignore[index]
        "load": f"{os.getloadavg()[2]:.1f}",
    }
    _replace(DOCS / "benchmarks.json", json.dumps({**figures, **about}, indent=1) + "\n")
    for name, picture in plots_of(figures).items():
        _replace(DOCS / name, picture)
    page = page_of(figures, about)
    _replace(DOCS / "benchmarks.md", page)
    return page


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


if __name__ == "__main__":
    main()
