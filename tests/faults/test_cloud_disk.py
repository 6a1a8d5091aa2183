"""The cloud's own disk is full: nothing is acknowledged that is not stored, no crash loop, and it heals by itself."""

import contextlib
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_commands import Valve, order, reached, valve_id
from tests.faults.test_disk import free_bytes, small_disk
from tests.faults.test_kills import Load, assert_stored_once
from tests.postgres import running_postgres
from tests.processes import CloudApi, Site, Stores, running_site, wait_for

DISK_KIB = 24_576


def parts(cloud: CloudApi) -> dict[str, str]:
    """What /readyz says of each part; none while nobody answers."""
    try:
        with urllib.request.urlopen(f"{cloud.url}/readyz", timeout=5) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except OSError:
        return {}
    return dict(json.loads(body)["parts"])


def fill(disk: Path) -> Path:
    """Something else takes all that is left, to the last byte."""
    hog = disk / "hog"
    for piece in (1 << 20, 4_096):
        with hog.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(piece))
    assert free_bytes(disk) == 0
    return hog


def stored(site: Site) -> int:
    """Samples in the frame log."""
    return int(site.cloud.ledger(site.gateway)["stored"])


def acknowledged(site: Site) -> int:
    """Samples that the agent need not send any more."""
    status = wait_for(site.agent.status, "the agent's status")
    return sum(lane["produced"] - lane["buffered"] - lane["dropped"] for lane in status["lanes"])


def close_valve(site: Site, device: str, key: str) -> tuple[int, Any]:
    return site.cloud.send(
        "POST", f"devices/{device}/commands", {"verb": "close_valve", "args": {}}, Idempotency_Key=key
    )  # fmt: skip


@pytest.mark.long
def test_the_disk_of_everything_is_full(tmp_path: Path) -> None:
    """Frame log, records, commands and projections in files on one disk. It is started again meanwhile, too."""
    with (
        small_disk(tmp_path / "disk", DISK_KIB) as disk,
        running_site(tmp_path, cloud={"LINLI_DATA_DIR": str(disk / "cloud")}) as site,
        Valve(site.local_broker.port) as valve,
    ):
        device = valve_id(site)
        load = Load(site.local_broker.port, "cramped")
        wait_for(lambda: stored(site) > 400, "some load")
        hog = fill(disk)
        wait_for(lambda: "full" in parts(site.cloud).get("ingest", ""), "ingest to say so", 30)
        assert "no room" in parts(site.cloud)["disk"]
        before, held = stored(site), acknowledged(site)
        status, problem = close_valve(site, device, "while-full")
        assert (status, problem["type"].rpartition("/")[2]) == (503, "not_ready"), problem
        begun = load.sent
        wait_for(lambda: load.sent > begun + 400, "load against the full disk")
        assert stored(site) - before < 100, "the fault did not happen"
        assert acknowledged(site) <= max(stored(site), held), "acknowledged what is not stored"
        assert site.cloud.alive and not valve.acts
        assert site.cloud.stop() == 0
        site.cloud.start()
        said = wait_for(lambda: parts(site.cloud), "it to say at the door how it stands", 20)
        assert any(word != "ready" for word in said.values()), said
        assert site.cloud.alive
        hog.unlink()
        site.cloud.wait_ready()
        site.agent.wait_ready(cloud=True)
        reached(site, order(site, device, "close_valve", "with-room"), "confirmed")
        acked = load.stop()
        found = wait_for(lambda: site.cloud.device("cramped"), "the device")
        wait_for(lambda: len(site.cloud.samples(found["id"], "message_count")) >= len(acked), "telemetry", 30, 0.2)
        numbers = [point["value"] for point in site.cloud.samples(found["id"], "message_count")]
        assert sorted(numbers) == sorted(acked)
        ledger = wait_for(site.balanced, "the ledger to balance", 30)
        assert ledger["unexplained"] == ledger["declared_dropped"] == 0
        assert ledger["produced"] == ledger["stored"]


@pytest.mark.long
def test_the_disk_of_the_projections_is_full(tmp_path: Path) -> None:
    """Frame log, records and commands in PostgreSQL: all of that goes on, and each projection says that it stands still."""
    with (
        small_disk(tmp_path / "disk", DISK_KIB) as disk,
        running_postgres() as server,
        running_site(
            tmp_path,
            stores=Stores(lambda: server.settings(server.new_database())),
            cloud={"LINLI_DATA_DIR": str(disk / "cloud")},
        ) as site,
    ):
        load = Load(site.local_broker.port, "cramped")
        wait_for(lambda: stored(site) > 400, "some load")
        pid, hog = site.cloud.process.pid, fill(disk)
        standing: set[str] = set()

        def all_stand() -> bool:
            standing.update(name for name, word in parts(site.cloud).items() if "stands still" in word)
            return standing >= {"telemetry", "live", "quality"}

        wait_for(all_stand, "telemetry, live and quality to say that they stand still", 60, 0.2)
        before = stored(site)
        wait_for(lambda: stored(site) > before + 400, "frames to be stored nevertheless", 20)
        assert parts(site.cloud)["ingest"] == parts(site.cloud)["frame_log"] == "ready"
        assert site.cloud.process.pid == pid and site.cloud.alive
        hog.unlink()
        wait_for(lambda: set(parts(site.cloud).values()) == {"ready"}, "everything to go on", 30)
        assert site.cloud.process.pid == pid and site.cloud.alive
        assert_stored_once(site, "cramped", load.stop())
