"""Backup and restore: consistent under load, whole or not there, and never over anything."""

import asyncio
import json
import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cloud_api.backup import BackupError, restore_files, save_files
from cloud_api.framelog import SqliteFrameLog
from cloud_api.framelog.coverage import StreamKey
from cloud_api.process import only_process
from cloud_api.signing import KEY_FILE
from tests.integration.frames import EPOCH, T0, frame, reading
from tests.postgres import PASSWORD, Postgres
from tests.processes import BIN
from tests.unit.cloud_http.cloud import GATEWAY, open_cloud
from tests.unit.cloud_http.cloud import reading as cloud_reading

INSTANCE = "the-one-and-only"


def nothing(work: str, done: int, total: int) -> None:
    """Shows nothing."""


def a_cloud(folder: Path) -> None:
    """A data folder that a cloud has worked in and left."""

    async def run() -> None:
        async with open_cloud(folder) as cloud:
            await cloud.seen("d", "building")
            for number in range(5):
                await cloud.frames([cloud_reading("d", temperature=float(number))])
            await cloud.stores.durable.instances.keep({GATEWAY: INSTANCE}, T0)

    asyncio.run(run())


def save(data: Path, target: Path) -> None:
    save_files(data, target, "0.1.0", lambda: 1_790_000_000_000, nothing)


def restore(backup: Path, data: Path, replace: bool = False) -> Any:
    data.mkdir(exist_ok=True)
    return restore_files(backup, data, replace, lambda: 1_790_000_000_000, nothing)


def test_everything_comes_back_and_projections_are_made_anew(tmp_path: Path) -> None:
    a_cloud(tmp_path / "data")
    save(tmp_path / "data", tmp_path / "backup")
    assert {path.name for path in (tmp_path / "backup").iterdir()} == {
        "manifest.json", "registry.sqlite", "book.sqlite", "ledger.sqlite", "quarantine.sqlite", "framelog.sqlite",
        "instances.sqlite", "audit.sqlite", "profile_signing_key.pem", "people.key",
    }  # fmt: skip
    (tmp_path / "backup" / KEY_FILE).chmod(0o644)  # it has been on a disk that knows no modes
    manifest, aside = restore(tmp_path / "backup", tmp_path / "again")
    assert (manifest.positions, aside) == ({"framelog": 6, "book": 6}, None)

    async def run() -> None:
        async with open_cloud(tmp_path / "again") as cloud:
            (device,) = (await cloud.get("devices"))["items"]
            assert device["external_id"] == "d"
            assert (await cloud.get(f"gateways/{GATEWAY}/ledger"))["stored"] == 5
            assert [await projection.cursor() for projection in cloud.stores.projections()] == [0, 0, 0, 6]
            assert await cloud.stores.durable.instances.load() == {GATEWAY: INSTANCE}

    asyncio.run(run())
    assert_the_same_key(tmp_path / "backup" / KEY_FILE, tmp_path / "data", tmp_path / "again")


def assert_the_same_key(kept: Path, data: Path, again: Path) -> None:
    """What was pushed before is believed after: gateways have the public half of this key. Only the owner may read it."""
    assert (again / KEY_FILE).read_bytes() == (data / KEY_FILE).read_bytes() == kept.read_bytes()
    assert (again / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_copy_under_load_is_of_one_moment(tmp_path: Path) -> None:
    """Frames are committed without a pause while the copy is made, a few pages at a time."""
    a_cloud(tmp_path / "data")

    async def run() -> int:
        framelog = SqliteFrameLog(tmp_path / "data" / "framelog.sqlite")
        done = asyncio.Event()
        seq = 0

        async def write() -> None:
            nonlocal seq
            while not done.is_set():
                batch = [
                    frame(seq + n, [reading("d", T0 + seq + n, message_count=seq + n)], seq + n - 1) for n in (1, 2)
                ]
                await framelog.append(batch)
                seq += 2

        writing = asyncio.create_task(write())
        while seq < 200:
            await asyncio.sleep(0)
        before = seq
        await asyncio.to_thread(save, tmp_path / "data", tmp_path / "backup")
        done.set()
        await writing
        await framelog.close()
        assert seq > before, "nothing was written meanwhile: there was no load"
        return seq

    written = asyncio.run(run())

    async def look() -> None:
        copied = SqliteFrameLog(tmp_path / "backup" / "framelog.sqlite")
        for key, coverage in await copied.streams("gw-1"):
            assert key == StreamKey("gw-1", EPOCH, "bulk")
            (held,) = coverage.ranges
            assert (held.first_seq, held.last_seq % 2) == (1, 0), "half a transaction was copied"
            assert 200 <= held.last_seq <= written
        await copied.close()

    asyncio.run(look())


def test_a_backup_never_writes_over_anything_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no cloud has run there"):
        save(tmp_path / "nothing", tmp_path / "backup")
    a_cloud(tmp_path / "data")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    with pytest.raises(BackupError, match="not empty"):
        save(tmp_path / "data", tmp_path / "taken")
    (tmp_path / "empty").mkdir()
    save(tmp_path / "data", tmp_path / "empty")
    with sqlite3.connect(tmp_path / "data" / "framelog.sqlite") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (tmp_path / "data" / "framelog.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(BackupError, match=r"framelog\.sqlite"):
        save(tmp_path / "data", tmp_path / "damaged")
    assert not (tmp_path / "damaged").exists() and not (tmp_path / "damaged.unfinished").exists()


def test_a_backup_that_is_not_whole_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    a_cloud(tmp_path / "data")
    save(tmp_path / "data", tmp_path / "backup")
    document = json.loads((tmp_path / "backup" / "manifest.json").read_text())
    target = tmp_path / "again"

    def refused(says: str) -> None:
        with pytest.raises(BackupError, match=says):
            restore(tmp_path / "backup", target)
        assert list(target.iterdir()) == []

    whole = (tmp_path / "backup" / "ledger.sqlite").read_bytes()
    (tmp_path / "backup" / "ledger.sqlite").write_bytes(whole[:-1] + b"\x01")
    refused(r"ledger\.sqlite is not what")
    (tmp_path / "backup" / "ledger.sqlite").unlink()
    refused("missing")
    (tmp_path / "backup" / "ledger.sqlite").write_bytes(whole)
    for change, says in (({"format": 2}, "newer"), ({"store": "postgresql"}, "postgresql"), ({"files": 7}, "can't be")):
        (tmp_path / "backup" / "manifest.json").write_text(json.dumps({**document, **change}))
        refused(says)
    evil = [{**document["files"][0], "name": "../ledger.sqlite"}]
    (tmp_path / "backup" / "manifest.json").write_text(json.dumps({**document, "files": evil}))
    refused("missing")
    (tmp_path / "backup" / "manifest.json").unlink()
    refused("not a whole backup")


def cloud_api(data: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command as people give it."""
    environment = {**os.environ, "LINLI_DATA_DIR": str(data), "LINLI_HTTP_PORT": "1", **settings}
    command = [str(BIN / "cloud-api"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_what_is_there_is_only_moved_aside(tmp_path: Path) -> None:
    a_cloud(tmp_path / "data")
    save(tmp_path / "data", tmp_path / "backup")
    before = {path.name: path.stat().st_size for path in (tmp_path / "data").iterdir()}
    with pytest.raises(BackupError, match=r"not empty .*--replace"):
        restore(tmp_path / "backup", tmp_path / "data")
    assert {path.name: path.stat().st_size for path in (tmp_path / "data").iterdir()} == before
    _, aside = restore(tmp_path / "backup", tmp_path / "data", replace=True)
    before.pop("cloud.lock")
    assert {path.name: path.stat().st_size for path in aside.iterdir()} == before
    with pytest.raises(
        FileExistsError
    ):  # the test's clock stands still: nothing is put into what was moved aside before
        restore(tmp_path / "backup", tmp_path / "data", replace=True)
    assert {path.name: path.stat().st_size for path in aside.iterdir()} == before


def test_the_commands_say_what_they_do_and_refuse_in_one_line(tmp_path: Path) -> None:
    a_cloud(tmp_path / "data")
    backup, data = str(tmp_path / "backup"), tmp_path / "data"
    made = cloud_api(data, "backup", backup)
    assert made.returncode == 0 and "frames up to position 6" in made.stdout and "framelog.sqlite: done" in made.stderr
    with only_process(data):
        running = cloud_api(data, "restore", backup, "--replace")
    assert (
        running.returncode == 1 and running.stderr.count("\n") == 1 and "another cloud-api works on" in running.stderr
    )
    (data / "restoring").mkdir()
    cut_off = cloud_api(data, "rebuild", "live")
    assert cut_off.returncode == 1 and "cut off" in cut_off.stderr
    replaced = cloud_api(data, "restore", backup, "--replace", "--json")
    assert replaced.returncode == 0, replaced.stderr
    assert (Path(json.loads(replaced.stdout)["aside"]) / "telemetry.duckdb").is_file()
    assert not (data / "restoring").exists()


@pytest.mark.long
def test_a_database_on_a_server_is_dumped_and_restored(tmp_path: Path, postgres: Postgres) -> None:
    """PostgreSQL: restored only when nobody is connected; what was there becomes a schema."""
    server = postgres
    address = server.new_database()
    settings = {"database_url": server.settings(address)["LINLI_DATABASE_URL"], "database_password": PASSWORD}
    data = tmp_path / "data"

    async def work(frames: int) -> None:
        async with open_cloud(data, **settings) as cloud:
            cloud.seqs[GATEWAY] = cloud.samples[GATEWAY] = await cloud.stores.durable.framelog.last_position()
            for _ in range(frames):
                await cloud.frames([cloud_reading("d", temperature=1.0)])
            await cloud.stores.durable.instances.keep({GATEWAY: INSTANCE}, T0)

    backup = str(tmp_path / "backup")
    environment = server.settings(address)
    asyncio.run(work(6))
    made = cloud_api(data, "backup", backup, "--json", **environment)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["positions"] == {"framelog": 6, "book": 6}
    assert PASSWORD not in made.stderr + (tmp_path / "backup" / "manifest.json").read_text()
    assert (tmp_path / "backup" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    asyncio.run(work(3))

    refused = cloud_api(data, "restore", backup, **environment)
    assert refused.returncode == 1 and "--replace" in refused.stderr.splitlines()[-1]

    async def beside() -> subprocess.CompletedProcess[str]:
        worker = await asyncpg.connect(**address.connect_options())
        try:
            return await asyncio.to_thread(cloud_api, data, "restore", backup, "--replace", **environment)
        finally:
            await worker.close()

    busy = asyncio.run(beside())
    assert busy.returncode == 1 and "1 sessions use database" in busy.stderr
    restored = cloud_api(data, "restore", backup, "--replace", "--json", **environment)
    assert restored.returncode == 0, restored.stderr
    aside = json.loads(restored.stdout)["aside"]
    schema = aside.split()[1]
    assert_the_same_key(tmp_path / "backup" / KEY_FILE, Path(aside.split()[-1]), data)
    assert server.query(f'SELECT max(position) FROM "{schema}".frames', address.database) == [(9,)]

    async def look() -> None:
        async with open_cloud(data, **settings) as cloud:
            assert await cloud.stores.durable.framelog.last_position() == 6
            assert (await cloud.get(f"gateways/{GATEWAY}/ledger"))["stored"] == 6
            assert [await projection.cursor() for projection in cloud.stores.projections()] == [0, 0, 0, 6]
            assert await cloud.stores.durable.instances.load() == {GATEWAY: INSTANCE}

    asyncio.run(look())
