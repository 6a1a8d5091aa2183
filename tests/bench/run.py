"""`make bench`: every measure three times, written to docs/benchmarks.md and docs/benchmarks.json."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import measures

REPOSITORY = Path(__file__).parents[2]
RUNS = int(os.environ.get("LINLI_BENCH_RUNS", "3"))
MEASURES: tuple[Callable[[Path], dict[str, float]], ...] = (
    measures.edge,
    measures.outage,
    measures.cloud,
    measures.live,
    measures.decode,
)
# name -> (what, unit, aim as text, aim is met)
AIMS: dict[str, tuple[str, str, str, Callable[[float], bool] | None]] = {
    "edge_readings_per_s": ("sensor publish → outbox committed → cloud acked, agent on one core", "readings/s", "≥ 20,000", lambda v: v >= 20_000),
    "edge_cpu_s_per_1k": ("the agent's CPU time", "s per 1,000 readings", "≤ 0.05", lambda v: v <= 0.05),
    "edge_rss_mb": ("the agent's memory after that load", "MB", "≤ 45", lambda v: v <= 45),
    "edge_rss_after_backlog_mb": ("the agent's memory with 100,000 readings buffered", "MB", "≤ 45", lambda v: v <= 45),
    "uplink_bytes_per_reading": ("bytes on the uplink, a reading of 4 values", "bytes", "≤ 8", lambda v: v <= 8),
    "first_data_s": ("first fresh data after the cloud's broker returns", "s", "≤ 2", lambda v: v <= 2),
    "drain_readings_per_s": ("backlog of 100,000 readings, from the link's return to the last ack", "readings/s", "≥ 100,000", lambda v: v >= 100_000),
    "cloud_values_per_s": ("frames in → logged, stored and queryable, two cores with broker and load", "values/s", "≥ 300,000", lambda v: v >= 300_000),
    "disk_bytes_per_value": ("telemetry store on disk", "bytes a value", "≤ 8", lambda v: v <= 8),
    "frame_log_bytes_per_value": ("frame log on disk, beside it", "bytes a value", "", None),
    "live_p99_ms": ("sensor publish → event in the browser's stream, 2,000 readings/s, 99th percentile", "ms", "≤ 150", lambda v: v <= 150),
    "live_median_ms": ("the same, median", "ms", "", None),
    "decode_us_median": ("one message through all shipped profiles, median over the vendors' fixtures", "µs", "≤ 12 (a later issue)", lambda v: v <= 12),
}  # fmt: skip


def main() -> None:
    """Run, print, write."""
    found: dict[str, list[float]] = {}
    for measure in MEASURES:
        for run in range(1, RUNS + 1):
            print(f"{measure.__name__} {run}/{RUNS}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder:
                for name, value in measure(Path(folder)).items():
                    found.setdefault(name, []).append(value)
    figures = {
        name: {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": len(values)}
        for name, values in found.items()
    }
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    about = {
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}",
    }
    document = json.dumps({**figures, **about}, indent=1) + "\n"
    (REPOSITORY / "docs" / "benchmarks.json").write_text(document)
    page = page_of(figures, about)
    (REPOSITORY / "docs" / "benchmarks.md").write_text(page)
    print(page)


def page_of(figures: dict[str, dict[str, float]], about: dict[str, str]) -> str:
    """docs/benchmarks.md."""
    lines = [
        "# Benchmarks", "",
        f"Made by `make bench` on {about['date']} from commit `{about['commit'][:12]}`: {about['machine']}.", "",
        "Everything is real: a broker of its own (NATS server, files on disk), agent and cloud as processes, PUBACKs",
        "and acknowledgements awaited. The agent has one core to itself; brokers, cloud and load share the other. The cloud's",
        "own measure has both cores, with the broker and the load on them. Each figure is the median of its runs; a virtual",
        "machine is noisy, so look at the spread. The comparison with peers in one run is not there yet.", "",
        "| what | median | least … most | aim | met |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, (what, unit, aim, met) in AIMS.items():
        figure = figures[name]
        verdict = "" if met is None else "yes" if met(figure["median"]) else "**no**"
        lines.append(
            f"| {what} (`{name}`) | {shown(figure['median'])} {unit} | {shown(figure['min'])} … {shown(figure['max'])} "
            f"| {aim} | {verdict} |"
        )
    return "\n".join(lines) + "\n"


def shown(value: float) -> str:
    """A figure with three digits that matter."""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
