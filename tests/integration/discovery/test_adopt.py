"""A device on a topic of nobody, adopted over the API: what it says, and has said, are readings. Nothing restarts."""

from pathlib import Path
from typing import Any

from edge_agent.profiles import SHIPPED, ProfileSet
from edge_agent.profiles.check import example_payload
from tests.devices import ForeignClient
from tests.processes import Site, running_site, wait_for

TOPIC = "plant/unit-7"
PROFILE = "zigbee2mqtt/plug"


def discovered(site: Site, status: str = "open") -> list[dict[str, Any]]:
    return list(site.cloud.get(f"gateways/{site.gateway}/discoveries", status=status)["items"])


def test_an_unknown_topic_is_discovered_adopted_and_read(tmp_path: Path) -> None:
    payload = example_payload(ProfileSet.load([SHIPPED]).profiles[PROFILE].examples[0])
    with running_site(tmp_path) as site, ForeignClient(site.local_broker.port, "plug") as plug:
        plug.send(TOPIC, payload)
        (found,) = wait_for(lambda: discovered(site), "the discovery")
        best = found["proposals"][0]
        assert (found["topic"], best["profile"], best["device"]) == (TOPIC, PROFILE, "unit-7")
        assert site.cloud.device("boiler") is None
        agent = site.agent.process.pid

        body = {"topic": TOPIC, "profile": PROFILE, "device": "boiler", "name": {"zh": "热水器", "en": "Boiler"}}
        status, device = site.cloud.send("POST", f"gateways/{site.gateway}/discoveries/adopt", body)
        assert (status, device["status"], device["external_id"]) == (200, "adopted", "boiler")
        # What was refused before is read after all, with the values that were shown.
        metric, value = next((name, each) for name, each in best["values"].items() if type(each) is not bool)
        first = wait_for(lambda: site.cloud.samples(device["id"], metric), "the message from before")
        assert [point["value"] for point in first] == [value]
        plug.send(TOPIC, payload)
        wait_for(lambda: len(site.cloud.samples(device["id"], metric)) == 2, "the next message")

        site.agent.stop()
        site.agent.start()
        site.agent.wait_ready(cloud=True)
        plug.send(TOPIC, payload)
        wait_for(lambda: len(site.cloud.samples(device["id"], metric)) == 3, "a message after a restart")
        assert site.agent.process.pid != agent
        assert (site.agent.status() or {})["refused"] == {}, "a topic that is bound is not refused"
        assert discovered(site) == []
        assert [each["device_id"] for each in discovered(site, "adopted")] == [device["id"]]
        assert site.cloud.get(f"devices/{device['id']}")["name"]["en"] == "Boiler"
        wait_for(site.balanced, "the ledger to balance")
