"""A device is taken to another gateway and keeps its history, whichever gateway's frames come first."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.brokers import Broker
from tests.devices import ForeignClient
from tests.processes import BIN, EdgeAgent, Site, running_site, wait_for

TOPIC = "linli-device/reading/meter-9"


def reading(count: int, at_ms: int) -> bytes:
    """With the device's own time: what belongs to whom is a matter of event times, not of any clock of this test."""
    return json.dumps({"samples": {"message_count": count}, "observed_at_ms": at_ms}).encode()


def counts(site: Site, device: str) -> list[Any]:
    return [point["value"] for point in site.cloud.samples(device, "message_count")]


def now_count(site: Site, device: str) -> Any:
    return site.cloud.get(f"devices/{device}/state")["metrics"].get("message_count", {}).get("value")


def test_a_device_that_moves_keeps_its_history(tmp_path: Path) -> None:
    with running_site(tmp_path, proxied=True) as site:
        broker = Broker(site.local_broker.kind, tmp_path / "local-2")
        second = EdgeAgent("gw-test-2", tmp_path / "edge-2", broker.port, site.cloud_broker.port)
        broker.start()
        second.start()
        try:
            name = {"zh": "二号", "en": "Second"}
            assert site.cloud.send("PUT", "gateways/gw-test-2", {"community_id": "test", "name": name})[0] == 200
            second.wait_ready(cloud=True)
            with ForeignClient(site.local_broker.port) as old, ForeignClient(broker.port) as new:
                _to_and_fro(site, second, old, new)
        finally:
            second.stop()
            broker.stop()


def _to_and_fro(site: Site, second: EdgeAgent, old: ForeignClient, new: ForeignClient) -> None:
    begin_ms = time.time_ns() // 1_000_000 - 60_000
    moved_ms, back_ms = begin_ms + 5_500, begin_ms + 8_500
    for count in (1, 2, 3):
        old.publish(TOPIC, reading(count, begin_ms + 1_000 * count))
    device = wait_for(lambda: site.cloud.device("meter-9"), "the device")["id"]
    wait_for(lambda: counts(site, device) == [1, 2, 3], "its readings")
    site.cloud.send("PATCH", f"devices/{device}", {"name": {"zh": "水表", "en": "Meter"}})

    # The old gateway is cut off while it reads on: what it holds comes after what the new one says.
    site.uplink.refuse()
    site.uplink.cut()
    for count in (4, 5):
        old.publish(TOPIC, reading(count, begin_ms + 1_000 * count))
    wait_for(lambda: (site.agent.status() or {})["counters"]["readings"] == 5, "the old gateway to have read them")
    status, body = site.cloud.send("POST", f"devices/{device}/move", {"gateway_id": "gw-test-2", "at_ms": moved_ms})
    assert (status, body["id"], body["gateway_id"], body["name"]["en"]) == (200, device, "gw-test-2", "Meter")
    # Another device takes the id over, before the old gateway knows of the move.
    old.publish(TOPIC, reading(100, moved_ms))
    new.publish(TOPIC, reading(6, begin_ms + 6_000))
    wait_for(lambda: counts(site, device) == [1, 2, 3, 6], "the new gateway's word")
    assert (site.agent.status() or {})["gauges"]["buffered_samples"] > 0, "nothing was held back: there was no backfill"

    site.uplink.refuse(False)
    wait_for(lambda: counts(site, device) == [1, 2, 3, 4, 5, 6], "what the old gateway had held back")
    assert now_count(site, device) == 6
    wait_for(lambda: (site.agent.status() or {})["desired_version"] > 1, "the old gateway to be told of the move")
    old.publish(TOPIC, reading(101, begin_ms + 8_000))
    other = wait_for(lambda: site.cloud.device("meter-9", gateway=site.gateway), "the other device")
    assert other["id"] != device and other["status"] == "pending"
    wait_for(lambda: counts(site, other["id"]) == [100, 101], "the other device's readings")
    assert (now_count(site, device), now_count(site, other["id"])) == (6, 101)

    # A rebuild of the telemetry changes nothing of it.
    site.cloud.stop()
    environment = {**os.environ, **site.cloud.settings}
    subprocess.run([str(BIN / "cloud-api"), "rebuild", "telemetry"], env=environment, check=True, capture_output=True)
    site.cloud.start()
    site.cloud.wait_ready()
    assert (counts(site, device), counts(site, other["id"])) == ([1, 2, 3, 4, 5, 6], [100, 101])

    # And back: the other one was seen at its place alone and waits to be adopted, so it goes.
    status, body = site.cloud.send("POST", f"devices/{device}/move", {"gateway_id": site.gateway, "at_ms": back_ms})
    assert (status, body["gateway_id"]) == (200, site.gateway)
    assert site.cloud.send("POST", f"devices/{device}/move", {"gateway_id": "gw-none"})[0] == 404
    old.publish(TOPIC, reading(7, begin_ms + 9_000))
    wait_for(lambda: counts(site, device) == [1, 2, 3, 4, 5, 6, 7], "all of its history")
    assert now_count(site, device) == 7
    sources = site.cloud.get(f"devices/{device}/sources")["items"]
    assert [each["gateway_id"] for each in sources] == [site.gateway, "gw-test-2", site.gateway]
    assert site.cloud.send("GET", f"devices/{other['id']}")[0] == 404
    wait_for(site.balanced, "the ledger to balance")
