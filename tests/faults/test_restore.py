"""F32: the cloud is restored from an older backup. What gateways still keep comes again; what they do not is declared."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.devices import ForeignClient, reading
from tests.faults import LONG
from tests.faults.test_kills import Load, assert_stored_once
from tests.integration.ops.exported import scraped
from tests.postgres import Postgres
from tests.processes import BIN, Backends, Site, Stores, running_site, wait_for

TEXTS = ("vendor_error_code", "reset_cause", "tag_id", "pile_code", "meter_status")
SAMPLES = len(TEXTS) + 1


def cloud_api(site: Site, *arguments: str) -> dict[str, object]:
    """A verb of cloud-api with the settings of the running one."""
    done = subprocess.run(
        [str(BIN / "cloud-api"), *arguments, "--json"],
        env={**os.environ, **site.cloud.settings}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def log_position(site: Site) -> float:
    """How many frames the cloud's log holds."""
    families = scraped(f"{site.cloud.url}/metrics")
    return next(family.samples[0].value for family in families if family.name == "linli_framelog_position")


def lose_and_restore(
    site: Site, backup: Path, restored_to: float, lose_database: Callable[[], object] = lambda: None
) -> None:
    """The cloud dies with its data; it begins again from the backup, and is proven to lack what came since."""
    had = log_position(site)
    assert had > restored_to + 3, "nothing came after the backup: there is nothing to lose"
    site.cloud.kill()
    shutil.rmtree(Path(site.cloud.settings["LINLI_DATA_DIR"]))
    lose_database()
    assert cloud_api(site, "restore", str(backup))["position"] == restored_to
    site.cloud.start()
    site.cloud.wait_ready()
    site.agent.wait_ready(cloud=True)
    wait_for(lambda: "asking for frames again" in site.cloud.log(), "the cloud to ask for what it lacks")


@pytest.mark.parametrize("backends", ["embedded", "servers"] if LONG else ["embedded"])
def test_restored_from_an_older_backup_nothing_is_lost_that_gateways_keep(
    tmp_path: Path, backends: Backends, postgres: Postgres
) -> None:
    with ExitStack() as stack:
        stores, lose_database = None, lambda: None
        if backends == "servers":
            address = postgres.new_database()
            stores = Stores(lambda: postgres.settings(address))

            def lose_database() -> None:
                postgres.query("DROP SCHEMA public CASCADE", address.database)
                postgres.query("CREATE SCHEMA public", address.database)

        site = stack.enter_context(running_site(tmp_path, stores=stores))
        load = Load(site.local_broker.port, "f32")
        wait_for(lambda: load.sent > 300 and log_position(site) > 5, "some load")
        manifest = cloud_api(site, "backup", str(tmp_path / "backup"))  # of the running cloud, under load
        restored_to = manifest["positions"]["framelog"]  # type: ignore[index]
        sent = load.sent
        wait_for(lambda: load.sent > sent + 400 and log_position(site) > restored_to + 10, "load after the backup")
        lose_and_restore(site, tmp_path / "backup", restored_to, lose_database)
        ledger = assert_stored_once(site, "f32", load.stop())
        assert {epoch["lane"] for epoch in ledger["epochs"]} == {"bulk", "urgent"}
        assert not [gap for epoch in ledger["epochs"] for gap in epoch["gaps"]]


@pytest.mark.long
def test_what_gateways_no_longer_keep_is_declared(tmp_path: Path) -> None:
    """A gateway with a small outbox keeps a quarter of a megabyte of what was acknowledged."""
    with (
        running_site(tmp_path, LINLI_OUTBOX_BYTES_MAX="1048576", LINLI_COMMIT_MESSAGES_MAX="25") as site,
        ForeignClient(site.local_broker.port) as client,
    ):
        sent = 0

        def send(messages: int) -> None:
            nonlocal sent
            for _ in range(messages):
                told = {name: secrets.token_urlsafe(96) for name in TEXTS}
                client.send("linli-device/reading/kept", reading(sent, **told), mark=sent)
                sent += 1
            wait_for(lambda: len(client.acked) == sent, "PUBACKs", 20)
            wait_for(site.balanced, "all of it to arrive", 20)

        send(100)
        manifest = cloud_api(site, "backup", str(tmp_path / "backup"))
        send(800)
        lose_and_restore(site, tmp_path / "backup", manifest["positions"]["framelog"])  # type: ignore[index]
        send(100)
        wait_for(lambda: site.cloud.ledger(site.gateway)["declared_dropped"], "the declaration")
        ledger = wait_for(site.balanced, "the ledger to balance", 20)
        assert ledger["produced"] == SAMPLES * sent
        assert ledger["stored"] + ledger["declared_dropped"] == ledger["produced"]
        drops = [drop for epoch in ledger["epochs"] for drop in epoch["drops"]]
        assert drops and {drop["reason"] for drop in drops} == {"not_kept"}

        device = wait_for(lambda: site.cloud.device("kept"), "the device")
        wait_for(
            lambda: SAMPLES * len(site.cloud.samples(device["id"], "message_count")) == ledger["stored"],
            "telemetry",
            20,
        )
        stored = [point["value"] for point in site.cloud.samples(device["id"], "message_count")]
        assert len(stored) == len(set(stored))
        lost = sorted(set(range(sent)) - set(stored))
        assert SAMPLES * len(lost) == ledger["declared_dropped"] and lost[0] >= 100, "only what came after the backup"
        assert set(range(sent - 100 - 150, sent)) <= set(stored), "the newest were kept"
        print(f"{sent} sent, {len(lost)} no longer kept and declared, the rest came again")
