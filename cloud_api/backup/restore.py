"""Begin again from a backup. Nothing is deleted: what was there is moved aside, into the same folder."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from cloud_api.backup.file_copy import copy_file
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
    stage(backup, data_dir, [entry.name for entry in manifest.files], shown)
    return manifest, put_in_place(data_dir, clock)


def stage(backup: Path, data_dir: Path, names: Sequence[str], shown: Shown) -> None:
    """Copy these files into ``data_dir``, not yet to their places. From here to their places no cloud starts there."""
    fresh = data_dir / UNFINISHED
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    settle(data_dir)
    for number, name in enumerate(names, 1):
        copy_file(backup / name, fresh / name)
        shown("copy", number, len(names))
    settle(fresh)


def put_in_place(data_dir: Path, clock: Callable[[], int]) -> Path | None:
    """Move what is there aside and what was staged to its place. Returns where what was there has gone."""
    fresh = data_dir / UNFINISHED
    aside = _move_aside(data_dir, clock)
    for path in sorted(fresh.iterdir()):
        path.rename(data_dir / path.name)
    settle(data_dir)
    fresh.rmdir()
    settle(data_dir)
    return aside


def _move_aside(data_dir: Path, clock: Callable[[], int]) -> Path | None:
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
