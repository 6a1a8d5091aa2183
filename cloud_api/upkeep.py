"""What is done to all that the cloud keeps, from the command line: migrate, rebuild, backup, restore. clock: ms UTC."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from cloud_api.backup import (
    Manifest,
    Server,
    Shown,
    restore_database,
    restore_files,
    save_database,
    save_files,
)
from cloud_api.durable import migrate as migrate_all
from cloud_api.durable import postgres_address
from cloud_api.process import only_process
from cloud_api.projections import rebuild
from cloud_api.settings import Settings
from cloud_api.stores import PROJECTIONS, open_stores
from contracts import VERSION


async def migrate(settings: Settings) -> list[str]:
    """Bring every schema up to date. Returns the names of the migrations that were applied."""
    with contextlib.nullcontext() if settings.database_url else only_process(settings.data_dir):
        return await migrate_all(settings)


async def rebuild_projection(
    settings: Settings, name: str, clock: Callable[[], int], progress: Callable[[int, int], None]
) -> int:
    """Empty a projection and make it again from the frame log. Returns the last position."""
    async with open_stores(settings, clock) as stores:
        projection = dict(zip(PROJECTIONS, stores.projections(), strict=True))[name]
        return await rebuild(projection, stores.durable.framelog, progress)


async def backup(settings: Settings, target: Path, clock: Callable[[], int], shown: Shown) -> Manifest:
    """Make a backup, also of a running cloud. Raises BackupError."""
    if (address := postgres_address(settings)) is not None:
        server = Server(address, settings.database_tls_ca)
        return await save_database(server, settings.data_dir, target, VERSION, clock, shown)
    return save_files(settings.data_dir, target, VERSION, clock, shown)


async def restore(
    settings: Settings, source: Path, replace: bool, clock: Callable[[], int], shown: Shown
) -> tuple[Manifest, str]:
    """Begin again from a backup; no cloud may run. Returns its manifest and where what was there is, "" for nothing.

    Raises BackupError, ProgramError.
    """
    with only_process(settings.data_dir):
        if (address := postgres_address(settings)) is not None:
            server = Server(address, settings.database_tls_ca)
            manifest, places = await restore_database(source, server, settings.data_dir, replace, clock, shown)
            aside = " and ".join(places)
        else:
            manifest, replaced = restore_files(source, settings.data_dir, replace, clock, shown)
            aside = str(replaced or "")
    async with open_stores(settings, clock) as stores:
        for projection in (stores.telemetry, stores.live):  # one that is kept elsewhere is of the other log still
            await projection.reset()
    return manifest, aside
