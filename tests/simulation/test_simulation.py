"""Thousands of kills and cuts: the ledger has no gap, nothing is stored twice, what was acknowledged is stored."""

import logging
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.profiles.check import load_with_own
from tests.faults import LONG
from tests.simulation.scenario import Summary, run_seed

FAULTS_A_SEED = 25
SEEDS = 480 if LONG else 60
PROFILES = load_with_own(None)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is a place for it: what a disk does with fsync is not under test here."""
    shared = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="linli-simulation-", dir=shared)) if shared.is_dir() else tmp_path
    logging.disable(logging.CRITICAL)
    yield root
    logging.disable(logging.NOTSET)
    shutil.rmtree(root)


def test_kills_and_cuts(folder: Path) -> None:
    first = os.environ.get("LINLI_SEED")
    seeds = [int(first)] if first else range(1, SEEDS + 1)
    summaries: list[Summary] = []
    for seed in seeds:
        summaries.append(run_seed(seed, FAULTS_A_SEED, folder / str(seed), PROFILES))
        shutil.rmtree(folder / str(seed))
    total = [sum(values) for values in zip(*(summary[:8] for summary in summaries), strict=True)]
    print(dict(zip(Summary._fields, total, strict=False)), sum((s.mishaps for s in summaries), Counter[str]()))


def test_the_same_seed_is_the_same_run(folder: Path) -> None:
    one = run_seed(7, 10, folder / "one", PROFILES)
    other = run_seed(7, 10, folder / "other", PROFILES)
    assert one == other
