"""The same backup when the durable data is in PostgreSQL: pg_dump of one snapshot, and pg_restore; the key is a file still.

Both programs come with PostgreSQL's client package, of the server's version or newer. The password travels in their
environment, never on a command line.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg

from cloud_api.backup.manifest import BackupError, Manifest, Shown, check_files, entry_of, read_manifest, settle
from cloud_api.backup.restore import put_in_place, stage
from cloud_api.backup.save import finish, fresh_folder, save_keys
from device_registry import PostgresAddress

DUMP = "database.dump"
CONNECT_S = 10.0


class Server(NamedTuple):
    """The database, and the authority that its server's certificate is held against; None: plain text."""

    address: PostgresAddress
    ca: Path | None


async def save_database(
    server: Server, data_dir: Path, target: Path, version: str, clock: Callable[[], int], shown: Shown
) -> Manifest:
    """Dump the database into ``target``, which must not be there or be empty. Raises BackupError."""
    address = server.address
    with fresh_folder(target) as fresh:
        begun_ms = clock()
        async with _connection(address) as db, db.transaction(isolation="repeatable_read", readonly=True):
            # What the manifest says and what is dumped are of one moment.
            snapshot = await db.fetchval("SELECT pg_export_snapshot()")
            try:
                positions = {
                    "framelog": await db.fetchval("SELECT coalesce(max(position), 0) FROM frames"),
                    "book": await db.fetchval(
                        "SELECT coalesce(max(position), 0) FROM cursors WHERE projection = 'book'"
                    ),
                }
            except asyncpg.UndefinedTableError:
                raise BackupError(f"no cloud has run on database {address.database}") from None
            options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
            shown(f"dump {address.database}", 0, 1)
            await _run(server, "pg_dump", *options, f"--file={fresh / DUMP}")
            shown(f"dump {address.database}", 1, 1)
        settle(fresh / DUMP)
        manifest = Manifest(
            version=version, store="postgresql", begun_ms=begun_ms, ended_ms=clock(), positions=positions,
            files=[entry_of(fresh / name, shown) for name in (DUMP, *save_keys(data_dir, fresh))],
        )  # fmt: skip
        finish(fresh, target, manifest)
    return manifest


async def restore_database(
    backup: Path, server: Server, data_dir: Path, replace: bool, clock: Callable[[], int], shown: Shown
) -> tuple[Manifest, list[str]]:
    """Put the dump into the database and the files beside it into ``data_dir``, which the caller holds.

    replace  what is in the database becomes a schema ``replaced_…``; else there must be nothing
    Returns the manifest and where what was there has gone: in ``data_dir`` there were projections of the other log.
    Raises BackupError before anything is changed when the backup is not whole, the database holds something, or somebody
    is connected.
    """
    address = server.address
    manifest = read_manifest(backup)
    if manifest.store != "postgresql":
        raise BackupError(f"this backup is of {manifest.store} files; restore it without LINLI_DATABASE_URL")
    check_files(backup, manifest, shown)
    schema = ""
    async with _connection(address) as db:
        others = await db.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if others:
            raise BackupError(
                f"{others} sessions use database {address.database}; stop the cloud and its workers first"
            )
        tables = await db.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        if tables and not replace:
            raise BackupError(f"database {address.database} is not empty; --replace moves what is there aside")
        stage(backup, data_dir, [entry.name for entry in manifest.files if entry.name != DUMP], shown)
        if tables:
            schema = f"replaced_{clock()}"
            async with db.transaction():
                await db.execute(f'ALTER SCHEMA public RENAME TO "{schema}"')
                await db.execute("CREATE SCHEMA public")
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    shown(f"restore {address.database}", 0, 1)
    await _run(server, "pg_restore", *options, f"--dbname={address.database}", str(backup / DUMP))
    shown(f"restore {address.database}", 1, 1)
    folder = put_in_place(data_dir, clock)
    return manifest, [*([f"schema {schema}"] if schema else []), *([str(folder)] if folder else [])]


@asynccontextmanager
async def _connection(address: PostgresAddress) -> AsyncIterator[asyncpg.Connection]:
    try:
        # Without the bounds of the programs' sessions: this one is idle in its transaction while pg_dump reads.
        options = {**address.connect_options(), "server_settings": {"application_name": "linli backup"}}
        db = await asyncpg.connect(**options, timeout=CONNECT_S)
        try:
            yield db
        finally:
            await db.close()
    except (OSError, asyncpg.PostgresError) as error:
        raise BackupError(f"PostgreSQL at {address.host}:{address.port}: {error}") from error


async def _run(server: Server, program: str, *options: str) -> None:
    address, ca = server
    environment = {
        **os.environ,
        "PGHOST": address.host,
        "PGPORT": str(address.port),
        "PGUSER": address.user,
        "PGDATABASE": address.database,
        "PGPASSWORD": address.password,
        **({"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(ca)} if ca else {"PGSSLMODE": "disable"}),
    }
    try:
        process = await asyncio.create_subprocess_exec(
            program, *options, env=environment, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
    except FileNotFoundError:
        raise BackupError(f"{program} is not here; it comes with PostgreSQL's client package") from None
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode:
        first_line = next(iter(said.decode(errors="replace").strip().splitlines()), f"ended with {process.returncode}")
        raise BackupError(f"{program} failed: {first_line}")
