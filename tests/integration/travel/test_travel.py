"""A device that no profile knows: refused, then read after all by a profile that came over the API. Nothing restarts."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.devices import ForeignClient
from tests.faults import LONG
from tests.processes import Site, running_site, wait_for

TOPIC = "hoist/{}/up"
PROFILE = """\
profile: {id: made-up/hoist, version: VERSION, kind: building, en: Hoist, zh: 升降机}
topics: ["hoist/{device}/up"]
identity: {device: "{device}"}
messages:
  - readings:
      - metrics:
          temperature: {path: t, unit: Cel}
examples:
  - {topic: hoist/a/up, payload: {t: 20.5}, expect: {temperature: EXPECTED}}
"""


def post(site: Site, document: str) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{site.cloud.url}/api/v1/profiles",
        document.encode(),
        {"Content-Type": "application/yaml", **site.cloud.let_in()},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def written(version: int, expected: float = 20.5) -> str:
    return PROFILE.replace("VERSION", str(version)).replace("EXPECTED", str(expected))


def push(site: Site, version: int) -> None:
    path = f"profiles/made-up/hoist/versions/{version}/push"
    assert site.cloud.send("POST", path, {"community": "test"}) == (200, {"gateways": [site.gateway]})


def refused(site: Site, device: str) -> dict[str, Any] | None:
    items = site.cloud.get("quarantine", gateway=site.gateway)["items"]
    return next((item for item in items if item["topic"] == TOPIC.format(device)), None)


@pytest.mark.parametrize("crash", ["", "before_recovery", "after_recovery"] if LONG else [""])
def test_an_unknown_device_is_read_after_all(tmp_path: Path, crash: str) -> None:
    with (
        running_site(tmp_path) as site,
        ForeignClient(site.local_broker.port, "hoist") as hoist,
    ):
        for number in range(5):
            hoist.send(TOPIC.format("h1"), json.dumps({"t": 10 + number}).encode())
        entry = wait_for(lambda: refused(site, "h1"), "the quarantine")
        wait_for(lambda: sum((site.agent.status() or {})["refused"].values()) == 5, "all five to be refused")
        assert entry["recovered"] is None
        if crash:
            site.agent.stop()
            site.agent.start(LINLI_CRASH_AT=crash)
            site.agent.wait_ready(cloud=True)
        agent, first_ms = site.agent.process.pid, entry["at_ms"]

        status, problem = post(site, written(1, expected=21))
        assert status == 422 and problem["type"].endswith("profile_invalid")
        assert [fault["where"] for fault in problem["errors"]] == ["line 9: examples[0]"]

        assert post(site, written(1))[0] == 201
        assert post(site, written(1))[0] == 201  # the same again changes nothing
        assert post(site, written(1) + "# other\n")[0] == 409
        push(site, 1)
        if crash:
            wait_for(lambda: not site.agent.alive, "the agent to crash where it should")
            site.agent.start()
            site.agent.wait_ready(cloud=True)
        device = wait_for(lambda: site.cloud.device("h1"), "the device")
        points = wait_for(
            lambda: found if len(found := site.cloud.samples(device["id"], "temperature")) >= 5 else None,
            "readings",
        )
        assert [point["value"] for point in points] == [10, 11, 12, 13, 14]
        taken_ms = [point["t_ms"] for point in points]
        assert taken_ms[0] == first_ms and taken_ms == sorted(taken_ms)
        assert max(taken_ms) - first_ms < 5_000
        known = wait_for(lambda: (refused(site, "h1") or {}).get("recovered"), "the quarantine to say so")
        assert (known["profile"], known["profile_version"], known["still"]) == ("made-up/hoist", 1, 0)
        hoist.send(TOPIC.format("h1"), b'{"t": 30}')
        wait_for(lambda: len(site.cloud.samples(device["id"], "temperature")) == 6, "a new reading")
        ledger = wait_for(site.balanced, "the ledger to balance")
        assert ledger["produced"] == ledger["stored"] == 6
        assert crash or site.agent.process.pid == agent
        (mine,) = [each for each in site.cloud.get("profiles")["items"] if each["id"] == "made-up/hoist"]
        assert (mine["source"], mine["gateways"], mine["devices"]) == ("own", [site.gateway], 1)


def test_a_desired_state_that_is_not_signed_by_us_is_refused_and_the_one_before_holds(tmp_path: Path) -> None:
    kept = tmp_path / "keys.pem"
    with running_site(tmp_path, LINLI_PROFILE_KEY_FILE=str(kept)) as site:

        def said(what: str) -> bool:
            return bool(site.cloud.get(f"gateways/{site.gateway}")["reported_reason"] == what)

        assert post(site, written(1))[0] == 201
        push(site, 1)
        wait_for(lambda: said("no_cloud_key"), "the gateway to refuse it")
        kept.write_bytes(site.cloud_key.read_bytes())  # the key comes: no restart
        assert post(site, written(2))[0] == 201
        push(site, 2)
        wait_for(lambda: said(""), "the gateway to take it")
        wait_for(lambda: (site.agent.status() or {})["profiles"]["travelled"] == {"made-up/hoist": 2}, "version 2")
        kept.unlink()
        assert post(site, written(3))[0] == 201
        push(site, 3)
        wait_for(lambda: said("no_cloud_key"), "the gateway to refuse version 3")
        assert (site.agent.status() or {})["profiles"]["travelled"] == {"made-up/hoist": 2}
        with ForeignClient(site.local_broker.port, "hoist") as hoist:
            hoist.send(TOPIC.format("h2"), b'{"t": 12}')
            device = wait_for(lambda: site.cloud.device("h2"), "the device")
        assert device["profile_version"] == 2
