"""F36: many gateways come back at once. All are back within a minute, and those who stayed do not notice."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults import LONG
from tests.light_gateways import fleet_ids
from tests.probe import running_probe
from tests.processes import Site, running_site, wait_for

COUNT = 2_000 if LONG else 200
BACK_S = 60
UNHARMED_S = 10
"""So long what one who stayed sends may take meanwhile."""


class FleetProcess:
    """``tests.light_gateways`` in a process of its own."""

    def __init__(self, port: int, count: int, tls: Path | None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.light_gateways", str(port), str(count), *([str(tls)] if tls else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def told(self) -> dict[str, Any]:
        """What it says next."""
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def say(self, word: str) -> None:
        """cut or quit."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Leave, or be ended."""
        try:
            self.say("quit")
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()


@contextmanager
def running_fleet(site: Site, count: int) -> Iterator[FleetProcess]:
    """Light gateways for a while; at a Mosquitto each with a certificate of its own."""
    if site.certificates is not None:
        for name in fleet_ids(count):
            site.certificates.gateways.issue(name)
        site.cloud_broker.allow(site.gateway, *fleet_ids(count))
        site.cloud_broker.reload()
    fleet = FleetProcess(site.cloud_broker.port, count, site.certificates and site.certificates.folder)
    try:
        yield fleet
    finally:
        fleet.end()


@pytest.mark.timeout(400 if LONG else 120)
@pytest.mark.parametrize("kind", ["nats", "mosquitto"] if LONG else ["nats"])
def test_many_come_back_at_once(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    stores = request.getfixturevalue("database_servers") if kind == "mosquitto" else None
    with (
        running_site(tmp_path, stores=stores) as site,
        running_probe(site.cloud, site.local_broker.port) as probe,
        running_fleet(site, COUNT) as fleet,
    ):
        there = fleet.told()
        assert there["count"] == COUNT, there
        cpu_s, began = site.cloud.cpu_s(), time.monotonic()
        time.sleep(3)  # what it costs when all is quiet
        quiet_share, quiet_s = (site.cloud.cpu_s() - cpu_s) / 3, probe.p95_s(began, time.monotonic() - 0.5)
        began = time.monotonic()
        fleet.say("cut")
        back = fleet.told()
        ended = time.monotonic()
        wait_for(lambda: len(probe.seen) >= len(probe.sent) - 5, "the probe's last word", 20)
        storm_s = max(probe.delays_s(began, ended))
        cpu_s, began = site.cloud.cpu_s(), time.monotonic()
        time.sleep(3)  # and when all is quiet again
        after_share = (site.cloud.cpu_s() - cpu_s) / (time.monotonic() - began)
        print(
            f"{COUNT} on {kind}: all back in {back['last_s']} s (median {back['median_s']} s); one who stayed: p95"
            f" {quiet_s:.2f} s before, at most {storm_s:.2f} s meanwhile; cloud's CPU {quiet_share:.2f} before,"
            f" {after_share:.2f} after"
        )
        assert back["count"] == COUNT, back
        assert back["last_s"] < BACK_S
        assert back["frames"] >= COUNT * 5, "there was nothing to catch up"
        assert storm_s < UNHARMED_S, "who stayed is harmed"
        assert after_share < quiet_share + 0.3, "the CPU does not recover"
        probe.stop()
        ledger = wait_for(site.balanced, "the ledger to balance", 30)
        assert ledger["unexplained"] == ledger["declared_dropped"] == 0
        assert ledger["produced"] == ledger["stored"]
