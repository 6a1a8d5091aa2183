"""Kills and cuts by the thousand: the ledger has no gap, nothing is stored twice, what was acknowledged is stored.

A failure names its seed and the one command that replays it.
"""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

import pytest

from tests.faults import LONG
from tests.simulation.many import FAULTS_A_SEED, begin_worker, run_many, run_one, table
from tests.simulation.mutants import MUTANTS, notices
from tests.simulation.scenario import Summary

SEEDS = range(1, 2_001) if LONG else range(14, 30)
MUST_HAPPEN = [
    "edge killed within a write", "edge killed before a write", "edge killed after a write", "edge loses power",
    "edge killed between two steps", "edge killed while it starts", "edge told to leave", "edge disk fails",
    "cloud killed between commit and ack", "cloud killed within a write",
    "cloud killed between two steps", "cloud loses power", "cloud disk fails", "cloud broker killed",
    "cloud broker killed with its disk", "cloud broker away for seconds", "local broker killed",
    "local broker killed with its disk", "local link cut", "link of edge cut", "link of edge half-open",
    "link of edge silent up", "link of edge silent down", "link of cloud cut", "link of cloud half-open",
    "frame lost", "frame doubled", "frame overtaken", "frame flipped", "ack lost", "ack doubled", "ack overtaken",
    "welcome lost", "wall clock in 1970", "wall clock steps",
]  # fmt: skip

RARE = [
    "edge killed at before_commit", "edge killed at after_commit", "edge killed at after_puback",
    "edge killed at after_publish", "edge killed at in_commit", "edge killed at after_drop",
    "edge killed at after_delete",
    "edge killed at before_ack_commit", "edge killed at after_ack_commit", "edge outbox damaged",
    "edge outbox deleted", "edge restored from an older disk image", "outbox deleted under the agent",
    "a twin of the gateway begins", "cloud restored from an older backup",
]  # fmt: skip
SOON_NOTICED = [
    "the edge acknowledges before it has committed", "the frame log has no unique key",
]  # fmt: skip


@pytest.mark.timeout(14_400 if LONG else 240)
def test_kills_and_cuts() -> None:
    many = run_many(SEEDS, FAULTS_A_SEED)
    print(table(many))
    assert not many.failures, "\n".join(many.failures)
    assert many.dropped and all(many.counts.values()), many.counts
    must_happen = MUST_HAPPEN + (RARE if LONG else [])
    assert [kind for kind in must_happen if not many.faults[kind]] == [], "these faults did not happen"
    assert many.kills_and_cuts >= (10_000 if LONG else 250)


def test_the_same_seed_is_the_same_run() -> None:
    """Byte for byte, also in a process whose sets and dicts of words are in another order."""
    told = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "12"], env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True, capture_output=True, text=True,
        ).stdout
        for hash_seed in ("0", "77")
    }  # fmt: skip
    assert len(told) == 1 and len(told.pop()) > 50_000, "the whole trace"


@pytest.mark.timeout(3_600 if LONG else 240)
def test_the_simulation_notices_faulty_programs() -> None:
    """Those that few runs show; with LINLI_FAULTS=long all of them."""
    names = list(MUTANTS) if LONG else SOON_NOTICED
    runs = range(1, 201) if LONG else range(1, 31)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), begin_worker) as pool:
        found = list(pool.map(notices, names, repeat(runs), repeat(FAULTS_A_SEED)))
    for name, count, why in found:
        print(f"{name}: after {count} runs, {why}")
    assert [name for name, count, _ in found if not count] == [], "these were not noticed"


def test_another_seed_is_another_run() -> None:
    one, other = run_one(1, 5), run_one(2, 5)
    assert isinstance(one, Summary) and isinstance(other, Summary)
    assert one.fingerprint != other.fingerprint
