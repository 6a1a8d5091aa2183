"""One chain, however many write: in SQLite many requests at once, in PostgreSQL several processes too."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud_api.audit import AuditLog, Draft
from cloud_api.audit.entries import line_of
from cloud_api.audit.verification import verify
from cloud_api.durable import open_durable
from cloud_api.settings import Settings
from tests.postgres import Postgres

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
EACH = 200


@asynccontextmanager
async def open_log(settings: Settings) -> AsyncIterator[AuditLog]:
    async with open_durable(settings) as durable:
        yield AuditLog(durable.audit, lambda: 1, KEY)


async def fill(settings: Settings, who: str) -> None:
    async with open_log(settings) as log:
        drafts = [Draft(number, who, "act", f"t/{number}", "", "done", {"x": 1.5}) for number in range(EACH)]
        entries = await asyncio.gather(*map(log.append, drafts))
        assert [entry.target for entry in entries] == [draft.target for draft in drafts]


def process(settings: Settings, who: str) -> None:
    asyncio.run(fill(settings, who))


async def judged(settings: Settings) -> int:
    async with open_log(settings) as log:
        checkpoint = await log.checkpoint()
        lines = [line_of(entry) async for entry in log.store.all_up_to(checkpoint.checkpoint)]
        verdict = verify(lines, [checkpoint, *await log.store.checkpoints(None, 10)], [KEY.public_key()])
        assert verdict.fault is None
        return verdict.entries


def test_many_at_once_in_a_file(tmp_path: Path) -> None:
    """Also of another process, such as a verb of the command line beside a running cloud."""
    settings = Settings(data_dir=tmp_path)
    asyncio.run(judged(settings))
    other = multiprocessing.get_context("spawn").Process(target=process, args=(settings, "two"))
    other.start()
    asyncio.run(fill(settings, "one"))
    other.join(60)
    assert other.exitcode == 0
    assert asyncio.run(judged(settings)) == 2 * EACH


def test_several_processes_in_postgresql(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in postgres.settings(postgres.new_database()).items():
        monkeypatch.setenv(name, value)
    settings = Settings(data_dir=tmp_path)
    asyncio.run(judged(settings))  # makes the schema
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=process, args=(settings, f"p{number}")) for number in range(3)]
    for each in processes:
        each.start()
    for each in processes:
        each.join(60)
        assert each.exitcode == 0
    assert asyncio.run(judged(settings)) == 3 * EACH
