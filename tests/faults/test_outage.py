"""The cloud is away: nothing is lost, fresh data is there at once when it is back, the agent's memory stays flat."""

import time
from pathlib import Path

import pytest

from tests.devices import ForeignClient, reading
from tests.faults import OUTAGE_S
from tests.faults.test_kills import Load
from tests.processes import running_site, wait_for


@pytest.mark.long
def test_outage_of_the_cloud(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        load = Load(site.local_broker.port, "outage")
        wait_for(lambda: load.sent > 400, "some load")
        site.cloud.kill()
        site.cloud_broker.kill()
        time.sleep(3)  # past the start of buffering; then memory has to stay where it is
        before_mb = site.agent.resident_mb()
        time.sleep(OUTAGE_S)  # the outage itself
        assert site.agent.resident_mb() - before_mb < 4, "the agent's memory grows in an outage"
        buffered = (site.agent.status() or {})["gauges"]["buffered_samples"]
        assert buffered > OUTAGE_S * 100, "nothing was buffered: there was no outage"

        site.cloud_broker.start()
        site.cloud.start()
        site.cloud.wait_ready()
        back = time.monotonic()
        with ForeignClient(site.local_broker.port) as client:
            client.publish("linli-device/reading/fresh", reading(1))
        wait_for(lambda: site.cloud.device("fresh"), "the first fresh data", 10)
        first_fresh_s = time.monotonic() - back
        print(f"first fresh data {first_fresh_s:.2f} s after the cloud was ready")
        assert first_fresh_s < 2

        acked = load.stop()
        found = wait_for(lambda: site.cloud.device("outage"), "the device")
        ledger = wait_for(site.balanced, "the ledger to balance", 30)
        wait_for(lambda: len(site.cloud.samples(found["id"], "message_count")) >= len(acked), "telemetry", 20)
        stored = [point["value"] for point in site.cloud.samples(found["id"], "message_count")]
        assert sorted(stored) == sorted(acked)
        assert ledger["unexplained"] == 0
