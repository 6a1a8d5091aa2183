"""Open the database that holds the registry, and bring its schema up to date.

Other packages of the cloud may keep tables of their own in the same database (``apps``): one file, one backup.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationExecutor

APPS: Mapping[str, str] = {"registry": "device_registry"}
"""App label -> package; the package has ``models`` and ``migrations``."""


def config(url: str, apps: Mapping[str, str] = APPS) -> dict[str, Any]:
    """Tortoise's configuration. url: ``sqlite:///path`` or ``postgres://...``; apps: label -> package."""
    return {
        "connections": {"default": url},
        "apps": {
            label: {
                "models": [f"{package}.models"],
                "migrations": f"{package}.migrations",
                "default_connection": "default",
            }
            for label, package in apps.items()
        },
    }


@asynccontextmanager
async def open_database(url: str, apps: Mapping[str, str] = APPS) -> AsyncIterator[None]:
    """While this is open, the models work, in every task of the process. One database at a time a process."""
    context = TortoiseContext()
    async with context:
        # The fallback lets tasks in that do not descend from this one, such as the web server's.
        await context.init(config=config(url, apps), use_tz=False, _enable_global_fallback=True)
        yield


async def migrate(url: str, apps: Mapping[str, str] = APPS) -> list[str]:
    """Apply what is missing, oldest first, each migration in one transaction. Returns the names of what was applied."""
    applied: list[str] = []

    def note(event: str, label: str, name: str) -> None:
        if event == "apply_done":
            applied.append(f"{label}.{name}")

    settings = config(url, apps)
    context = TortoiseContext()
    async with context:
        await context.init(config=settings, use_tz=False)
        executor = MigrationExecutor(context.db(), settings["apps"])
        await executor.migrate(progress=note)
    return applied


__all__: Sequence[str] = ("APPS", "config", "migrate", "open_database")
