"""kill -9 under load: every message whose PUBACK the publisher saw is stored exactly once, and the ledger balances."""

import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Kind
from tests.devices import ForeignClient, reading
from tests.faults import KILLS, LONG
from tests.processes import Program, Site, running_site, wait_for

RATE = 200  # messages/s
SEED = 20_261_124


class Load:
    """Publishes numbered messages at a rate, on a thread of its own, until stopped."""

    def __init__(self, port: int, device: str, rate: int = RATE) -> None:
        self.rate = rate
        self.client = ForeignClient(port, client_id=f"load-{device}")
        self.sent = 0
        self._topic = f"linli-device/reading/{device}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)  # a failed test must not hold up the rest
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.is_set():
            while self.sent < (time.monotonic() - began) * self.rate:
                self.client.send(self._topic, reading(self.sent, temperature=21.5), mark=self.sent)
                self.sent += 1
            self._stop.wait(0.005)

    def stop(self) -> list[int]:
        """The numbers whose PUBACK was seen, once no more can come."""
        self._stop.set()
        self._thread.join()
        wait_for(lambda: len(self.client.acked) == self.sent, "the broker to acknowledge everything", 60)
        self.client.__exit__()
        return list(self.client.acked)


def assert_stored_once(site: Site, device: str, acked: list[int]) -> dict[str, Any]:
    """Exactly these numbers are in telemetry, each once; the ledger is balanced."""
    # First everything must have arrived: NATS delivers again only after its ack_wait, and until then all is balanced.
    found = wait_for(lambda: site.cloud.device(device), "the device")
    wait_for(lambda: len(site.cloud.samples(found["id"], "message_count")) >= len(set(acked)), "telemetry", 20, 0.2)
    ledger = wait_for(site.balanced, "the ledger to balance with nothing buffered", 30)
    stored = [point["value"] for point in site.cloud.samples(found["id"], "message_count")]
    assert len(stored) == len(set(stored)), f"stored twice: {sorted({n for n in stored if stored.count(n) > 1})[:20]}"
    assert set(acked) <= set(stored), f"lost: {sorted(set(acked) - set(stored))[:20]}"
    assert ledger["unexplained"] == 0
    assert ledger["declared_dropped"] == 0
    assert ledger["produced"] == ledger["stored"] == 2 * len(stored)
    return ledger


def kill_again_and_again(program: Program, ready: Any, chance: random.Random, kills: int) -> None:
    for _ in range(kills):
        time.sleep(chance.uniform(0.02, 0.5))  # the random moment is the fault, not a wait for something
        program.kill()
        program.start()
        if chance.random() < 0.5:  # half of the kills come while it is still starting
            ready()


LOCAL: tuple[Kind, ...] = ("nats-gateway", "mosquitto-gateway")
PLACES = ("before_commit", "after_commit", "after_puback")
AT_EACH = [(place, local) for place in PLACES for local in LOCAL]


@pytest.mark.parametrize("local", LOCAL if LONG else LOCAL[1:])
def test_agent_killed_at_random_moments(tmp_path: Path, local: Kind) -> None:
    with running_site(tmp_path, local) as site:
        load = Load(site.local_broker.port, "kills")
        kill_again_and_again(site.agent, site.agent.wait_ready, random.Random(SEED), KILLS)
        site.agent.wait_ready(cloud=True)
        assert_stored_once(site, "kills", load.stop())


@pytest.mark.long
def test_cloud_killed_at_random_moments(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        load = Load(site.local_broker.port, "kills")
        kill_again_and_again(site.cloud, site.cloud.wait_ready, random.Random(SEED), KILLS)
        site.cloud.wait_ready()
        site.agent.wait_ready(cloud=True)
        assert_stored_once(site, "kills", load.stop())


@pytest.mark.parametrize(("place", "local"), AT_EACH if LONG else [AT_EACH[3]])
def test_agent_killed_at_a_named_point(tmp_path: Path, place: str, local: Kind) -> None:
    """What was committed and not acknowledged is delivered again, and stored once."""
    with running_site(tmp_path, local) as site:
        site.agent.stop()
        with ForeignClient(site.local_broker.port) as client:
            for number in range(50):
                client.send("linli-device/reading/points", reading(number, temperature=1), mark=number)
            wait_for(lambda: len(client.acked) == 50, "50 PUBACKs")
        site.agent.start(LINLI_CRASH_AT=place)
        wait_for(lambda: not site.agent.alive, f"the agent to die at {place}")
        assert site.agent.process.returncode == -9
        site.agent.start()
        site.agent.wait_ready(cloud=True)
        status = wait_for(site.agent.status, "the agent's status")
        assert_stored_once(site, "points", list(range(50)))
        if place == "after_commit":
            repeats = wait_for(lambda: (site.agent.status() or status)["counters"]["repeats"], "repeats to be seen")
            assert repeats > 0, "the broker did not deliver again: the fault did not happen"


def test_both_brokers_killed(tmp_path: Path) -> None:
    """The cloud's broker is expendable, with its disk. The local one keeps what it acknowledged (NATS: on disk)."""
    with running_site(tmp_path) as site:
        load = Load(site.local_broker.port, "kills")
        wait_for(lambda: load.sent > 200, "some load")
        site.cloud_broker.kill()
        site.cloud_broker.erase()
        wait_for(lambda: load.sent > 500, "some load without the cloud's broker")
        site.cloud_broker.start()
        site.agent.wait_ready(cloud=True)
        wait_for(lambda: load.sent > 700, "some load after")
        assert_stored_once(site, "kills", load.stop())


LOST_AT_A_KILL_MAX: dict[Kind, int] = {"nats-gateway": 0, "mosquitto-gateway": 20}
"""Mosquitto sends its PUBACKs and writes its store in the next round of its loop: what came in between is lost."""


@pytest.mark.parametrize("local", LOCAL if LONG else LOCAL[:1])
@pytest.mark.long
def test_local_broker_killed(tmp_path: Path, local: Kind) -> None:
    """What a kill of the local broker costs of what it had acknowledged and not handed over; docs/faults.md says it."""
    kills = (200, 600, 1_000)
    with running_site(tmp_path, local) as site:
        load = Load(site.local_broker.port, "kills")
        for count in kills:
            wait_for(lambda count=count: load.sent > count, "some load")  # type: ignore[misc]
            site.local_broker.kill()
            site.local_broker.start()
        acked = load.stop()
        found = wait_for(lambda: site.cloud.device("kills"), "the device")

        def stored() -> list[int]:
            return [point["value"] for point in site.cloud.samples(found["id"], "message_count")]

        lost_max = len(kills) * LOST_AT_A_KILL_MAX[local]
        wait_for(lambda: len(set(acked) - set(stored())) <= lost_max, "what was acknowledged", 20, 0.3)
        ledger = wait_for(site.balanced, "the ledger to balance", 30)
        assert ledger["unexplained"] == 0
        wait_for(lambda: 2 * len(stored()) >= ledger["stored"], "telemetry", 20, 0.3)
        there = stored()
        lost = sorted(set(acked) - set(there))
        again = len(there) - len(set(there))
        print(f"{local}: {len(acked)} acknowledged, {len(lost)} lost: {lost}, {again} sent again by the publisher")
        assert ledger["stored"] == 2 * len(there)
