"""PostgreSQL is killed, hangs, or its disk is full: no false acknowledgement, an API that says so, and it heals alone."""

import json
import os
import random
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cloud_api.database.postgres import CONNECTIONS_MAX
from device_registry.postgres import CONNECTIONS_MAX as REGISTRY_CONNECTIONS_MAX
from tests.faults import LONG
from tests.faults.test_kills import SEED, Load, assert_stored_once
from tests.postgres import Postgres, running_postgres
from tests.processes import CloudApi, Site, Stores, running_site, wait_for

DATABASE_KILLS = 50 if LONG else 2
HUNG_S = 60 if LONG else 8
OPEN_MAX = CONNECTIONS_MAX + REGISTRY_CONNECTIONS_MAX


class Said(NamedTuple):
    """An answer of the API, and how long it took, s."""

    status: int
    body: dict[str, Any]
    retry_after: str
    took_s: float


def ask(cloud: CloudApi, path: str) -> Said:
    began = time.monotonic()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(cloud.url + path, headers=cloud.let_in()), timeout=60
        ) as answer:
            status, headers, body = answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        status, headers, body = error.code, error.headers, json.load(error)
    return Said(status, body, headers.get("Retry-After", ""), time.monotonic() - began)


def acked_frames(site: Site) -> int:
    return int(wait_for(site.agent.status, "the agent's status")["counters"]["frames_acked"])


def crashes(server: Postgres) -> int:
    return (server.folder / "log").read_text().count("was terminated by signal 9")


def open_connections(server: Postgres) -> int:
    ((count,),) = server.query(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'linli' AND pid <> pg_backend_pid()"
    )
    assert isinstance(count, int)
    return count


@pytest.mark.long
def test_database_killed_again_and_again(tmp_path: Path) -> None:
    """F07."""
    chance = random.Random(SEED)
    with running_postgres() as server:
        database = server.settings(server.new_database())
        with running_site(tmp_path, stores=Stores(lambda: database)) as site:
            load = Load(site.local_broker.port, "kills")
            refused = crashed = 0
            for turn in range(DATABASE_KILLS):
                time.sleep(chance.uniform(0.2, 1))  # the random moment is the fault
                if turn % 2:
                    victims = wait_for(lambda: server.children("linli"), "a connection of the cloud")
                    os.kill(chance.choice(victims), signal.SIGKILL)  # the server restarts itself
                    crashed += 1
                    wait_for(lambda: crashes(server) >= crashed, "the server to notice")  # noqa: B023
                else:
                    server.kill()
                    said = ask(site.cloud, "/api/v1/communities")
                    assert (said.status, said.body["type"].rpartition("/")[2]) == (503, "not_ready"), said
                    assert int(said.retry_after) > 0
                    ready = ask(site.cloud, "/readyz")
                    assert ready.status == 503
                    assert ready.body["parts"]["registry"] != "ready" and ready.body["parts"]["frame_log"] != "ready"
                    refused += 1
                    server.start()
            assert crashed == refused == DATABASE_KILLS // 2
            wait_for(lambda: ask(site.cloud, "/api/v1/communities").status == 200, "the API to recover alone", 30)
            assert_stored_once(site, "kills", load.stop())
            assert open_connections(server) <= OPEN_MAX
            assert site.cloud.alive


@pytest.mark.long
def test_database_hangs(tmp_path: Path) -> None:
    """F08. The system still accepts connections, and nobody answers on them."""
    with running_postgres() as server:
        database = server.settings(server.new_database())
        with running_site(tmp_path, stores=Stores(lambda: database)) as site:
            load = Load(site.local_broker.port, "hung")
            wait_for(lambda: load.sent > 400, "some load")
            server.freeze()
            try:
                time.sleep(1)  # what was committed before is acknowledged by then
                acked, resident_mb = acked_frames(site), site.cloud.resident_mb()
                with ThreadPoolExecutor(30) as many:
                    answers = list(many.map(lambda _: ask(site.cloud, "/api/v1/communities"), range(30)))
                assert {said.status for said in answers} == {503}
                assert max(said.took_s for said in answers) < 25, "a request waits without end"
                assert ask(site.cloud, "/healthz").status == 200
                time.sleep(HUNG_S)  # the fault itself
                assert acked_frames(site) == acked, "acknowledged what was not committed"
                grown_mb = site.cloud.resident_mb() - resident_mb
                assert grown_mb < 40, f"the cloud's memory has grown by {grown_mb:.0f} MB"
                status = wait_for(site.agent.status, "the agent's status")
                assert status["gauges"]["buffered_samples"] > 400, "nothing waits: the fault did not happen"
            finally:
                server.thaw()
            wait_for(lambda: ask(site.cloud, "/readyz").status == 200, "the cloud to recover alone", 30)
            assert_stored_once(site, "hung", load.stop())
            assert open_connections(server) <= OPEN_MAX


@contextmanager
def small_disk(size_mb: int) -> Iterator[Path]:
    """A file system of its own, of the server's user."""
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/linli-disk-XXXXXX"], text=True).strip())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0777", "tmpfs", str(folder)],
        capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode:
        folder.rmdir()
        assert os.environ.get("CI") != "true", mounted.stderr
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.mark.long
def test_database_disk_full(tmp_path: Path) -> None:
    """F21."""
    with small_disk(48) as disk, running_postgres() as server:
        space = disk / "space"
        space.mkdir()
        os.chown(space, *[(found := server.data.stat()).st_uid, found.st_gid])
        database = server.settings(server.new_database(space))
        with running_site(tmp_path, stores=Stores(lambda: database)) as site:
            load = Load(site.local_broker.port, "full")
            wait_for(lambda: load.sent > 200, "some load")
            ballast = disk / "ballast"
            with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
                while True:
                    file.write(bytes(65_536))

            def refused() -> bool:
                return "No space left on device" in site.cloud.log()

            wait_for(refused, "the frame log's disk to be full", 45, 0.2)
            acked = acked_frames(site)
            held = wait_for(site.agent.status, "the agent's status")["gauges"]["buffered_samples"]
            wait_for(
                lambda: (site.agent.status() or {})["gauges"]["buffered_samples"] > held + 400,
                "samples to wait at the gateway",
            )
            assert acked_frames(site) - acked < 50, "acknowledged what was not committed"
            assert "frames can't be committed" in site.cloud.log()
            ballast.unlink()
            assert_stored_once(site, "full", load.stop())
