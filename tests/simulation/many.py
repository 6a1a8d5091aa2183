"""Many seeds on all cores, and what came out of them."""

import contextlib
import functools
import gc
import logging
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.profiles import ProfileSet
from edge_agent.profiles.check import load_with_own
from tests.simulation.scenario import Failure, Summary, run_seed

FAULTS_A_SEED = 25
FAILURES_MAX = 5
"""After so many the rest is not run."""


@dataclass
class Many:
    """What many runs did."""

    seeds: int = 0
    messages: int = 0
    samples: int = 0
    dropped: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def kills_and_cuts(self) -> int:
        """Programs and brokers killed, power lost, links cut or silenced."""
        words = ("kill", "power", "cut", "half-open", "silent", "away", "switched off", "restored")
        return sum(times for what, times in self.faults.items() if any(word in what for word in words))

    def add(self, summary: Summary) -> None:
        """One more run."""
        self.seeds += 1
        self.messages += summary.messages
        self.samples += summary.samples
        self.dropped += summary.dropped
        self.counts += summary.counts
        self.faults += summary.faults


@functools.cache
def profiles() -> ProfileSet:
    """The shipped ones; read once a process."""
    return load_with_own(None)


def quiet_logs() -> None:
    """The programs log each fault: thousands of lines that nobody reads."""
    logging.disable(logging.CRITICAL)


def begin_worker() -> None:
    """A process that runs seeds."""
    quiet_logs()
    profiles()
    gc.freeze()  # each run ends with a collection, which need not look at the profiles


def root_folder() -> Path | None:
    """In memory where there is a place for it: what a disk does with fsync is asked of SQLite, not of the disk."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else None


def run_one(seed: int, faults: int) -> Summary | str:
    """One run in a folder of its own; the message when it failed."""
    folder = Path(tempfile.mkdtemp(prefix="linli-simulation-", dir=root_folder()))
    try:
        return run_seed(seed, faults, folder / "run", profiles())
    except Failure as failure:
        return str(failure)
    finally:
        shutil.rmtree(folder)


def run_many(seeds: Iterable[int], faults: int, jobs: int = 0) -> Many:
    """Run all of them, in so many processes (0: one a core)."""
    many = Many()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs or os.cpu_count(), context, begin_worker) as pool, contextlib.ExitStack() as on_exit:
        on_exit.callback(pool.shutdown, wait=True, cancel_futures=True)
        for found in pool.map(functools.partial(run_one, faults=faults), seeds, chunksize=4):
            if isinstance(found, str):
                many.failures.append(found)
                if len(many.failures) >= FAILURES_MAX:
                    break
            else:
                many.add(found)
    return many


def table(many: Many) -> str:
    """For people."""
    rows: list[tuple[str, int]] = [
        ("runs", many.seeds + len(many.failures)), ("runs that broke a promise", len(many.failures)),
        ("faults", many.faults.total()), ("of them kills and cuts", many.kills_and_cuts),
        ("messages", many.messages), ("samples", many.samples), ("samples in declared drops", many.dropped),
        *sorted(many.counts.items()), *sorted(many.faults.items()),
    ]  # fmt: skip
    return "\n".join(f"{number:>10,}  {what}" for what, number in rows)
