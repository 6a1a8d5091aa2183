"""Many ingest workers on one PostgreSQL: whichever of them is killed or stopped, everything is stored exactly once."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.devices import ForeignClient, reading
from tests.faults import LONG
from tests.faults.test_kills import SEED, Load, assert_stored_once
from tests.postgres import Postgres
from tests.processes import Stores, running_site, wait_for

WORKER_KILLS = 60 if LONG else 4
STOPPED_S = 300 if LONG else 4


@pytest.mark.parametrize("place", ["before_commit", "after_commit", "after_ack"] if LONG else ["after_commit"])
def test_ingest_killed_at_a_named_point(tmp_path: Path, postgres: Postgres, place: str) -> None:
    """F05, F06. The broker has its PUBACK before the commit; only the frame's acknowledgement counts, and it comes."""
    with running_site(tmp_path, stores=Stores(lambda: postgres.settings(postgres.new_database())), workers=1) as site:
        (worker,) = site.workers
        sent = 0
        with ForeignClient(site.local_broker.port) as client:

            def died_in_place() -> bool:
                nonlocal sent
                worker.stop()
                worker.start(LINLI_CRASH_AT=f"{place}:3")  # the first frames are the agent's own

                def died() -> bool:
                    nonlocal sent
                    client.publish("linli-device/reading/points", reading(sent, temperature=21.5))
                    sent += 1
                    return not worker.alive

                wait_for(died, f"ingest to die at {place}", 30, 0.05)
                assert worker.process.returncode == -signal.SIGKILL
                # The will comes after every acknowledgement that was given before.
                wait_for(lambda: not status()["cloud"]["ingest_online"], "the gateway to hear of it")
                ((stored,),) = postgres.query("SELECT sum(samples) FROM coverage", f"linli_{postgres.databases}")
                acked = status()["counters"]["samples"] - status()["gauges"]["buffered_samples"]
                print(f"{place}: {stored} samples are committed, {acked} are acknowledged")
                # A batch may hold only what had come before, or no samples: then once more.
                return bool((stored > acked) == (place == "after_commit"))

            def status() -> dict[str, Any]:
                return wait_for(site.agent.status, "the agent's status")

            assert any(died_in_place() for _ in range(3)), "it did not die where it should"
        worker.start()
        worker.wait_ready()
        wait_for(lambda: status()["gauges"]["buffered_samples"] == 0, "every acknowledgement", 10)
        assert_stored_once(site, "points", list(range(sent)))


@pytest.mark.long
def test_workers_killed_at_random(tmp_path: Path, postgres: Postgres) -> None:
    chance = random.Random(SEED)
    with running_site(tmp_path, stores=Stores(lambda: postgres.settings(postgres.new_database())), workers=2) as site:
        load = Load(site.local_broker.port, "kills")
        shares = [0.0, 0.0]
        for turn in range(WORKER_KILLS):
            time.sleep(chance.uniform(0.1, 0.8))  # the random moment is the fault
            number = turn % 2
            worker = site.workers[number]
            if worker.is_ready():
                shares[number] += worker.counts()["frames"]
            worker.kill()
            time.sleep(chance.uniform(0, 0.3))
            worker.start()
            if chance.random() < 0.5:  # the others come while it is still starting: both may be away
                worker.wait_ready()
        for worker in site.workers:
            worker.wait_ready()
        site.agent.wait_ready(cloud=True)
        assert_stored_once(site, "kills", load.stop())
        shares = [share + worker.counts()["frames"] for share, worker in zip(shares, site.workers, strict=True)]
        assert min(shares) > 0, f"only one worker took frames: {shares}"


@pytest.mark.long
def test_one_of_two_workers_stopped_and_both(tmp_path: Path, postgres: Postgres) -> None:
    """F37. A stopped process holds what the broker has given it; the broker drops nothing, the other one goes on."""
    with running_site(tmp_path, stores=Stores(lambda: postgres.settings(postgres.new_database())), workers=2) as site:
        first, second = site.workers
        load = Load(site.local_broker.port, "slow")
        wait_for(lambda: first.counts()["frames"] and second.counts()["frames"], "both to take frames")
        dropped = site.broker_dropped()
        os.kill(first.process.pid, signal.SIGSTOP)
        try:
            before = second.counts()["frames"]
            time.sleep(STOPPED_S)  # the fault itself
            # The agent's window may be full of what the stopped one holds: that is sent again when it is late.
            wait_for(lambda: second.counts()["frames"] > before, "the living worker to take frames")
            assert not first.is_ready(), "no probe notices it"
            with pytest.raises(OSError):  # so its series end, which is what LinliIngestSilent looks for
                first.counts()
            os.kill(second.process.pid, signal.SIGSTOP)
            held = (site.agent.status() or {})["gauges"]["buffered_samples"]
            wait_for(
                lambda: (site.agent.status() or {})["gauges"]["buffered_samples"] > held + 400,
                "samples to wait at the gateway while nobody takes them",
            )
        finally:
            os.kill(first.process.pid, signal.SIGCONT)
            os.kill(second.process.pid, signal.SIGCONT)
        assert_stored_once(site, "slow", load.stop())
        assert site.broker_dropped() == dropped, "the broker has dropped messages"
