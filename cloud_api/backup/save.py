"""Make a backup, whether the cloud runs or not.

Each file is copied as it is at one moment, one after another, and the frame log last: so everything that is made of it is
older than it, and what comes after a cursor is applied again, which changes nothing. What the log does not hold yet, the
gateways are asked for. Telemetry and live state are made anew out of the log, so they are left out. The keys, that which the
cloud signs with and that which secrets of people are sealed with, are files on servers too.
"""

import contextlib
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

from cloud_api.backup.file_copy import copy_file
from cloud_api.backup.manifest import BackupError, Manifest, Shown, entry_of, settle, write_manifest
from cloud_api.backup.sqlite_copy import ask, copy_database
from cloud_api.people.sealed import KEY_FILE as PEOPLE_KEY_FILE
from cloud_api.signing import KEY_FILE

FILES = (
    "book.sqlite", "registry.sqlite", "ledger.sqlite", "quarantine.sqlite", "instances.sqlite", "audit.sqlite",
    "framelog.sqlite",
)  # fmt: skip
"""In the order in which they are copied."""


def save_files(data_dir: Path, target: Path, version: str, clock: Callable[[], int], shown: Shown) -> Manifest:
    """Copy the durable files of ``data_dir`` into ``target``, which must not be there or be empty.

    Nothing has that name before all of it is on disk. Raises BackupError.
    """
    missing = [name for name in FILES if not (data_dir / name).is_file()]
    if missing:
        raise BackupError(f"there is no {missing[0]} in {data_dir}: no cloud has run there")
    with fresh_folder(target) as fresh:
        begun_ms = clock()
        for name in FILES:
            copy_database(data_dir / name, fresh / name, shown)
        positions = {
            "framelog": ask(fresh / "framelog.sqlite", "SELECT max(position) FROM frames"),
            "book": ask(fresh / "book.sqlite", "SELECT position FROM cursors WHERE projection = 'book'"),
        }
        for leftover in [path for path in fresh.iterdir() if path.name not in FILES]:
            leftover.unlink()
        names = [*FILES, *save_keys(data_dir, fresh)]
        files = [entry_of(fresh / name, shown) for name in names]
        manifest = Manifest(
            version=version, store="sqlite", begun_ms=begun_ms, ended_ms=clock(), positions=positions, files=files
        )
        finish(fresh, target, manifest)
    return manifest


def save_keys(data_dir: Path, fresh: Path) -> list[str]:
    """Copy the keys. Returns their names; without those that are brought by a setting."""
    saved = []
    for name in (KEY_FILE, PEOPLE_KEY_FILE):
        try:
            copy_file(data_dir / name, fresh / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BackupError(f"{data_dir / name} can't be copied: {error}") from error
        saved.append(name)
    return saved


@contextlib.contextmanager
def fresh_folder(target: Path) -> Generator[Path]:
    """A folder to work in, beside the target; nothing of it is left when the work fails.

    Raises BackupError when the target is taken.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(f"{target} is not empty; a backup never writes over another one")
    fresh = target.with_name(f"{target.name}.unfinished")
    if fresh.exists():
        raise BackupError(f"{fresh} is there: another backup is being made, or was cut off; remove it then")
    fresh.mkdir(parents=True, mode=0o700)
    try:
        yield fresh
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def finish(fresh: Path, target: Path, manifest: Manifest) -> None:
    """Give the backup its name."""
    write_manifest(fresh, manifest)
    settle(fresh)
    fresh.rename(target)
    settle(target.parent)
