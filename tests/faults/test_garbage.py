"""Garbage at the gateway is counted and quarantined with its reason, and a good message right after it passes."""

import json
from collections.abc import Iterator

import pytest

from tests.devices import ForeignClient, reading
from tests.processes import Site, running_site, wait_for

GARBAGE = {
    "json_invalid": ("linli-device/reading/g", b'{"samples": {"temperature": 21.5'),
    "wrong_type": ("linli-device/reading/g", b'{"samples": [1, 2, 3]}'),
    "too_large": ("linli-device/reading/g", b'{"samples": {"temperature": 1}, "x": "' + b"a" * 1_000_000 + b'"}'),
    "topic_unknown": ("nobody/knows/this", b"{}"),
    "not_finite": ("linli-device/reading/g", b'{"samples": {"temperature": NaN}}'),
    "time_implausible": ("linli-device/reading/g", b'{"observed_at_ms": 86400000, "samples": {"temperature": 1}}'),
    "keys_duplicate": ("linli-device/reading/g", b'{"samples": {"temperature": 1, "temperature": 2}}'),
    "utf8_invalid": ("linli-device/reading/g", b'{"samples": {"temperature": 1, "\xff\xfe": 2}}'),
    "metric_unknown": ("linli-device/reading/g", b'{"samples": {"warmth": 1}}'),
    "checksum_wrong": ("ykc/site/up", bytes.fromhex(
        "6840bbbd0013202312120000100000000010057136003201060039560002030201940ef4035400000000000000004e55100020"
        "00c057010000000000606c010000009374"
    )),
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all of it: what is refused must not disturb what follows."""
    with running_site(tmp_path_factory.mktemp("garbage")) as running:
        yield running


@pytest.mark.parametrize("reason", GARBAGE)
def test_garbage(reason: str, site: Site) -> None:
    topic, payload = GARBAGE[reason]
    number = list(GARBAGE).index(reason)
    with ForeignClient(site.local_broker.port) as client:
        client.publish(topic, payload)
        client.publish("linli-device/reading/good", reading(number))

    def entry() -> dict[str, object] | None:
        found = [each for each in site.cloud.get("quarantine")["items"] if each["reason"] == reason]
        return found[0] if found else None

    refused = wait_for(entry, f"{reason} in quarantine")
    assert refused["gateway_id"] == site.gateway
    assert refused["topic"] == topic
    status = site.agent.status()
    assert status is not None
    assert status["refused"][reason] >= 1

    def passed() -> bool:
        device = site.cloud.device("good")
        return device is not None and number in [p["value"] for p in site.cloud.samples(device["id"], "message_count")]

    wait_for(passed, "the good message right after it")


def test_year_2099_is_not_plausible(site: Site) -> None:
    with ForeignClient(site.local_broker.port) as client:
        payload = {"observed_at_ms": 4_070_908_800_000, "samples": {"temperature": 1}}
        client.publish("linli-device/reading/later", json.dumps(payload).encode())

    def entry() -> bool:
        return any(each["topic"] == "linli-device/reading/later" for each in site.cloud.get("quarantine")["items"])

    wait_for(entry, "the year 2099 in quarantine")


def test_a_flood_of_garbage_is_folded(site: Site) -> None:
    with ForeignClient(site.local_broker.port) as client:
        for _ in range(500):
            client.send("garbage/flood", b"x")
        wait_for(lambda: len(client.acked) == 500, "500 PUBACKs")
    wait_for(lambda: (site.agent.status() or {"refused": {}})["refused"].get("topic_unknown", 0) >= 501, "all counted")
    entries = [each for each in site.cloud.get("quarantine", limit=1000)["items"] if each["topic"] == "garbage/flood"]
    assert len(entries) <= 2, "the quarantine grows with the flood"
