"""PostgreSQL is away while the cloud starts: it waits, says so, and begins by itself; several may make the schema at once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import running_broker
from tests.postgres import Postgres, running_postgres
from tests.processes import CloudApi, IngestWorker, wait_for

from .test_serve import fetch


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One that may be stopped and started."""
    with running_postgres() as running:
        yield running


def test_serve_and_worker_wait_for_the_database_say_so_and_then_begin(tmp_path: Path, server: Postgres) -> None:
    settings = server.settings(server.new_database())
    server.stop()
    with running_broker("nats-cloud", tmp_path / "broker") as broker:
        cloud = CloudApi(tmp_path / "cloud", broker.port, LINLI_INGEST="workers", **settings)
        worker = IngestWorker(tmp_path / "worker", broker.port, **settings, LINLI_INGEST_SHARE="")
        programs = (cloud, worker)
        try:
            for program in programs:
                program.start()
            for port in (cloud.port, worker.port):
                wait_for(lambda port=port: fetch(port, "/healthz")[0] == 200, "a door", 20)
                status, body = fetch(port, "/readyz")
                assert (status, list(body["parts"])) == (503, ["database"]), body
                assert str(server.port) in body["parts"]["database"], "it does not say which server"
                status, problem = fetch(port, "/api/v1/devices")
                assert (status, problem["type"].rpartition("/")[2]) == (503, "not_ready")
            wait_for(
                lambda: all(each.log().count("the database is not there") > 2 for each in programs), "further tries"
            )
            assert cloud.stop() == 0, "SIGTERM is heard while it waits"
            cloud.start()
            server.start()
            for program in programs:
                program.wait_ready()
            assert cloud.get("devices")["items"] == []
            assert '"level":"error"' not in worker.log()
        finally:
            for program in programs:
                program.stop()
            if not server._answers():
                server.start()


@pytest.mark.long
def test_a_wrong_password_is_not_waited_for(tmp_path: Path, server: Postgres) -> None:
    settings = server.settings(server.new_database())
    (tmp_path / "wrong").write_text("wrong")
    settings["LINLI_DATABASE_PASSWORD_FILE"] = str(tmp_path / "wrong")
    cloud = CloudApi(tmp_path / "cloud", 1, **settings)
    cloud.start()
    assert cloud.process.wait(20) == 1
    assert "password authentication failed" in cloud.log()
    assert "Traceback" not in cloud.log()


@pytest.mark.long
def test_several_make_the_schema_at_once(tmp_path: Path, server: Postgres) -> None:
    settings = server.settings(server.new_database())
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "cloud_api.cli", "migrate", "--json"],
            env={**os.environ, **settings, "LINLI_DATA_DIR": str(tmp_path / str(number))},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(4)
    ]  # fmt: skip
    said = [(process.communicate(timeout=60), process.returncode) for process in running]
    assert [code for _, code in said] == [0, 0, 0, 0], said
    applied = [json.loads(output)["applied"] for (output, _), _ in said]
    assert sum(bool(each) for each in applied) == 1, "not exactly one of them made it"
