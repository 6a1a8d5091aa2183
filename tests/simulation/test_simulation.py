"""Kills and cuts by the thousand: the ledger has no gap, nothing is stored twice, what was acknowledged is stored.

A failure names its seed and the one command that replays it.
"""

import os
import subprocess
import sys

import pytest

from tests.faults import LONG
from tests.simulation.many import FAULTS_A_SEED, run_many, run_one, table
from tests.simulation.scenario import Summary

SEEDS = range(1, 10_001) if LONG else range(1, 101)
MUST_HAPPEN = [
    "edge killed within a write", "edge killed before a write", "edge killed after a write", "edge loses power",
    "edge killed between two steps", "edge killed while it starts", "edge killed at before_commit",
    "edge killed at after_commit", "edge killed at after_puback", "edge killed at after_publish", "edge told to leave",
    "edge disk fails", "edge outbox damaged", "edge outbox deleted", "edge restored from an older disk image",
    "outbox deleted under the agent", "a twin of the gateway begins", "cloud killed between commit and ack",
    "cloud killed within a write", "cloud killed between two steps", "cloud loses power", "cloud disk fails",
    "cloud restored from an older backup", "cloud broker killed", "cloud broker killed with its disk",
    "cloud broker away for seconds", "local broker killed", "local broker killed with its disk", "local link cut",
    "link of edge cut", "link of edge half-open", "link of edge silent up", "link of edge silent down",
    "link of cloud cut", "link of cloud half-open", "frame lost", "frame doubled", "frame overtaken", "frame flipped",
    "ack lost", "ack doubled", "ack overtaken", "welcome lost", "wall clock in 1970", "wall clock steps",
]  # fmt: skip


@pytest.mark.timeout(14_400 if LONG else 120)
def test_kills_and_cuts() -> None:
    many = run_many(SEEDS, FAULTS_A_SEED)
    print(table(many))
    assert not many.failures, "\n".join(many.failures)
    assert [kind for kind in MUST_HAPPEN if not many.faults[kind]] == [], "these faults did not happen"
    assert many.dropped and all(many.counts.values()), many.counts
    if LONG:
        assert many.kills_and_cuts >= 10_000


def test_the_same_seed_is_the_same_run() -> None:
    """Byte for byte, also in a process whose sets and dicts of words are in another order."""
    code = "from tests.simulation.many import run_one, quiet_logs; quiet_logs(); print(run_one({seed}, 25))"
    for seed in (3, 12):
        told = {
            subprocess.run(
                [sys.executable, "-c", code.format(seed=seed)], env={**os.environ, "PYTHONHASHSEED": hash_seed},
                check=True, capture_output=True, text=True,
            ).stdout
            for hash_seed in ("0", "1", "77")
        }  # fmt: skip
        assert len(told) == 1, told


def test_another_seed_is_another_run() -> None:
    one, other = run_one(1, 5), run_one(2, 5)
    assert isinstance(one, Summary) and isinstance(other, Summary)
    assert one.fingerprint != other.fingerprint
