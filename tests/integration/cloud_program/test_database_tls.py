"""LINLI_DATABASE_TLS_CA: everything that speaks to PostgreSQL does so by TLS, to a server that this authority has signed."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.postgres import PASSWORD, Postgres, running_postgres
from tests.processes import BIN, CloudApi
from tests.unit.cloud_http.cloud import open_cloud
from tests.unit.cloud_http.cloud import reading as cloud_reading

SESSIONS = "SELECT ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE datname = '{}'"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whose word the server's certificate is."""
    return Authority(tmp_path_factory.mktemp("authority"), "database-ca")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[Postgres]:
    """With TLS, and plain text for who asks for it."""
    with running_postgres(tls=authority.issue("postgres", hosts=("127.0.0.1",))) as running:
        yield running


def cloud_api(data: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A verb that uses the database."""
    environment = {**os.environ, **settings, "LINLI_DATA_DIR": str(data)}
    command = [str(BIN / "cloud-api"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_registry_frame_log_and_backup_go_by_tls(tmp_path: Path, server: Postgres, authority: Authority) -> None:
    address = server.new_database()
    settings = server.settings(address)
    chosen = {
        "database_url": settings["LINLI_DATABASE_URL"],
        "database_password": PASSWORD,
        "database_tls_ca": authority.file,
    }

    async def run() -> list[tuple[object, ...]]:
        async with open_cloud(tmp_path / "data", **chosen) as cloud:
            await cloud.frames([cloud_reading("d", temperature=1.0)])
            assert (await cloud.get("gateways"))["items"]
            return await asyncio.to_thread(server.query, SESSIONS.format(address.database))

    sessions = asyncio.run(run())
    assert len(sessions) >= 2, "registry and frame log have a pool each"
    assert all(tls for (tls,) in sessions)
    settings["LINLI_DATABASE_TLS_CA"] = str(authority.file)
    made = cloud_api(tmp_path / "data", "backup", str(tmp_path / "backup"), "--json", **settings)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["positions"]["framelog"] > 0


def test_a_server_of_another_authority_is_refused_in_one_line(tmp_path: Path, server: Postgres) -> None:
    address = server.new_database()
    other = Authority(tmp_path / "other", "other-ca").file
    settings = {**server.settings(address), "LINLI_DATABASE_TLS_CA": str(other)}
    migrated = cloud_api(tmp_path / "data", "migrate", **settings)
    assert migrated.returncode == 1
    assert migrated.stderr.count("\n") == 1 and "certificate verify failed" in migrated.stderr, migrated.stderr
    cloud = CloudApi(tmp_path / "cloud", 1, **settings)
    cloud.start()
    assert cloud.process.wait(20) == 1, "it is not waited for: waiting does not mend it"
    assert "certificate verify failed" in cloud.log() and "Traceback" not in cloud.log()
    saved = cloud_api(tmp_path / "data", "backup", str(tmp_path / "backup"), **settings)
    assert saved.returncode == 1 and "certificate verify failed" in saved.stderr.splitlines()[-1]
    tables = server.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", address.database)
    assert tables == [(0,)], "it has fallen back to plain text"


def test_a_server_without_tls_is_refused_in_one_line(tmp_path: Path, postgres: Postgres, authority: Authority) -> None:
    address = postgres.new_database()
    settings = {**postgres.settings(address), "LINLI_DATABASE_TLS_CA": str(authority.file)}
    migrated = cloud_api(tmp_path / "data", "migrate", **settings)
    assert migrated.returncode == 1
    assert migrated.stderr.count("\n") == 1 and "SSL" in migrated.stderr, migrated.stderr
    tables = postgres.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", address.database)
    assert tables == [(0,)], "it has fallen back to plain text"
