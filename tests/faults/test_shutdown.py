"""SIGTERM at any moment, also while a link is being lost: the agent and the cloud leave in time, with exit code 0."""

import random
import time
from pathlib import Path

import pytest

from tests.processes import running_site


@pytest.mark.long
def test_sigterm_while_the_brokers_go_away(tmp_path: Path) -> None:
    chance = random.Random(5)
    with running_site(tmp_path) as site:
        for turn in range(6):
            broker = (site.cloud_broker, site.local_broker)[turn % 2]
            broker.kill()
            time.sleep(chance.uniform(0, 0.05))  # the random moment is the fault
            assert site.agent.stop(8) == 0
            if turn % 2 == 0:
                assert site.cloud.stop(8) == 0
            broker.start()
            if turn % 2 == 0:
                site.cloud.start()
                site.cloud.wait_ready()
            site.agent.start()
            site.agent.wait_ready(cloud=chance.random() < 0.5)
        kept = [path for each in (site.agent, site.cloud) for path in (each.folder / "data").rglob("*")]
        assert {path.name for path in kept} >= {"outbox.sqlite", "framelog.sqlite", "telemetry.duckdb"}
        assert not [path for path in kept if path.stat().st_mode & 0o077], "others on the machine may look into it"
