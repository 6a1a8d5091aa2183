"""Open the database that holds the registry, and bring its schema up to date.

Other packages of the cloud may keep tables of their own in the same database (``apps``): one file, one backup.
"""

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient, NestedTransactionContext
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction
from tortoise.utils import get_schema_sql

from device_registry.postgres import CONNECT_S, PostgresAddress

APPS: Mapping[str, str] = {"registry": "device_registry"}
"""App label -> package; the package has ``models`` and ``migrations``."""

Where = str | PostgresAddress
"""A database: ``sqlite:///path``, or one on a server."""

WRITING_LOCK = 0x4C4E4C02
MIGRATING_LOCK = 0x4C4E4C04


def config(where: Where, apps: Mapping[str, str] = APPS) -> dict[str, Any]:
    """Tortoise's configuration. apps: label -> package."""
    # Named by its engine: Tortoise keeps the statements that it has made by the connection's name.
    connection = "sqlite" if isinstance(where, str) else "postgres"
    return {
        "connections": {connection: where if isinstance(where, str) else where.tortoise()},
        "apps": {
            label: {
                "models": [f"{package}.models"],
                "migrations": f"{package}.migrations",
                "default_connection": connection,
            }
            for label, package in apps.items()
        },
    }


@asynccontextmanager
async def open_database(where: Where, apps: Mapping[str, str] = APPS) -> AsyncIterator[None]:
    """While this is open, the models work, in every task of the process. One database at a time a process."""
    context = TortoiseContext()
    async with context:
        # The fallback lets tasks in that do not descend from this one, such as the web server's.
        await context.init(config=config(where, apps), use_tz=False, _enable_global_fallback=True)
        yield


@asynccontextmanager
async def writing() -> AsyncIterator[None]:
    """One transaction that changes what it has read, alone.

    SQLite has one writer anyway. In PostgreSQL the next one waits until this one's changes can be seen, so that reading
    and then writing means the same there. Writes of the registry are rare; frames do not go this way.
    """
    transaction = in_transaction()
    async with transaction as connection:
        if connection.capabilities.dialect == "postgres":
            await connection.execute_query("SELECT pg_advisory_xact_lock($1)", [WRITING_LOCK])
        yield
        if connection.capabilities.dialect == "sqlite" and not isinstance(transaction, NestedTransactionContext):
            # Tortoise leaves a commit that fails (a full disk) open, and the next transaction begins by committing it:
            # what was refused would be done later. An error in here is rolled back.
            try:
                await connection.commit()
            except sqlite3.Error as error:
                raise OperationalError(error) from error


async def migrate(where: Where, apps: Mapping[str, str] = APPS) -> list[str]:
    """Apply what is missing, oldest first, each migration in one transaction. Returns the names of what was applied.

    An empty database gets its tables at once, as the models are, and counts as brought up to date.
    On PostgreSQL any number of processes may do so at once: one does it, the others find nothing to do. A SQLite file
    belongs to one process, and its caller sees to that.
    """
    applied: list[str] = []

    def note(event: str, label: str, name: str) -> None:
        if event == "apply_done":
            applied.append(f"{label}.{name}")

    settings = config(where, apps)
    context = TortoiseContext()
    async with _migrating_alone(where), context:
        await context.init(config=settings, use_tz=False)
        executor = MigrationExecutor(context.db(), settings["apps"])
        await executor.migrate(targets=[])  # makes the list of what is applied, should it not be there
        if not await executor.recorder.applied_migrations():
            return await _make_at_once(context.db(), executor)
        await executor.migrate(progress=note)
    return applied


async def _make_at_once(database: BaseDBAsyncClient, executor: MigrationExecutor) -> list[str]:
    """What all migrations come to, without seconds of going through them one by one.

    Cut off, it begins again: tables that are there stay, and the list of migrations is written last, in one statement.
    """
    await database.execute_script(get_schema_sql(database, safe=True))
    done = [step.migration for step in await executor.plan()]
    rows = ", ".join(f"('{one.app_label}', '{one.name}', CURRENT_TIMESTAMP)" for one in done)
    await database.execute_script(f"INSERT INTO tortoise_migrations (app, name, applied_at) VALUES {rows}")
    return [f"{one.app_label}.{one.name}" for one in done]


@asynccontextmanager
async def _migrating_alone(where: Where) -> AsyncIterator[None]:
    if isinstance(where, str):
        yield
        return
    connection = await asyncpg.connect(**where.connect_options(), timeout=CONNECT_S)
    try:  # held by the session: whatever becomes of this process, the server frees it
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATING_LOCK)
        yield
    finally:
        connection.terminate()


__all__: Sequence[str] = ("APPS", "config", "migrate", "open_database", "writing")
