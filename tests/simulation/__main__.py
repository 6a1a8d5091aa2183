"""Run seeds: `python -m tests.simulation 17` replays one and prints its trace, `... 1-10000` runs many on all cores."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.simulation.many import FAULTS_A_SEED, profiles, quiet_logs, root_folder, run_many, table
from tests.simulation.scenario import Failure, run_world
from tests.simulation.world import World


def main() -> int:
    """0: every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seeds", help="a seed, whose trace is printed, or first-last")
    parser.add_argument("--faults", type=int, default=FAULTS_A_SEED, help=f"in each run; {FAULTS_A_SEED}")
    parser.add_argument("--jobs", type=int, default=0, help="processes; as many as there are cores")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    if not last:
        return _replay(int(first), options.faults)
    many = run_many(range(int(first), int(last) + 1), options.faults, options.jobs)
    print(table(many))
    print(*many.failures, sep="\n")
    return 1 if many.failures else 0


def _replay(seed: int, faults: int) -> int:
    quiet_logs()
    world = World(seed, keep_trace=True)
    with tempfile.TemporaryDirectory(dir=root_folder()) as folder:
        try:
            summary = run_world(world, faults, Path(folder) / "run", profiles())
        except Failure as failure:
            print(failure.trace, failure, sep="\n\n")
            return 1
    print(*world.trace, sep="\n")
    print(summary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
