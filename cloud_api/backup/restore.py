"""Begin again from a backup. Nothing is deleted: what was there is moved aside, into the same folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

from cloud_api.backup.manifest import BackupError, Manifest, Shown, check_files, read_manifest, settle

UNFINISHED = "restoring"
ASIDE = "replaced-"
LOCK = "cloud.lock"


def restore_is_unfinished(data_dir: Path) -> bool:
    """A restore was cut off: what is here is not whole, and nothing may be made of it."""
    return (data_dir / UNFINISHED).exists()


def restore_files(
    backup: Path, data_dir: Path, replace: bool, clock: Callable[[], int], shown: Shown
) -> tuple[Manifest, Path | None]:
    """Put the backup's files into ``data_dir``, which the caller holds, so that no cloud runs there.

    replace  what is there is moved into a folder ``replaced-…`` beside it; else there must be nothing
    Returns the manifest and where what was there has gone. Raises BackupError before anything is changed when the backup
    is not whole or there is something.
    """
    manifest = read_manifest(backup)
    if manifest.store != "sqlite":
        raise BackupError(f"this backup is of {manifest.store}; set LINLI_DATABASE_URL to restore it there")
    check_files(backup, manifest, shown)
    there = _there(data_dir)
    if there and not replace:
        raise BackupError(f"{data_dir} is not empty ({_named(there)}); --replace moves what is there aside")
    fresh = data_dir / UNFINISHED
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir()
    for number, entry in enumerate(manifest.files, 1):
        shutil.copyfile(backup / entry.name, fresh / entry.name)
        settle(fresh / entry.name)
        shown("copy", number, len(manifest.files))
    settle(fresh)
    aside = move_aside(data_dir, clock)
    for entry in manifest.files:
        (fresh / entry.name).rename(data_dir / entry.name)
    settle(data_dir)
    fresh.rmdir()
    settle(data_dir)
    return manifest, aside


def move_aside(data_dir: Path, clock: Callable[[], int]) -> Path | None:
    """Move what is in ``data_dir`` into a folder of its own inside it. Returns the folder, None when there is nothing."""
    there = [path for path in _there(data_dir) if path.name != UNFINISHED]
    if not there:
        return None
    aside = data_dir / f"{ASIDE}{clock()}"
    aside.mkdir()
    for path in there:
        path.rename(aside / path.name)
    return aside


def _there(data_dir: Path) -> list[Path]:
    return [path for path in sorted(data_dir.iterdir()) if path.name != LOCK and not path.name.startswith(ASIDE)]


def _named(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths[:3])
