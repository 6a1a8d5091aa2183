"""What a backup says of itself, in its ``manifest.json``: it is written last, so a folder without one is not a backup."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

FORMAT = 1
NAME = "manifest.json"
_PIECE_BYTES = 1 << 20

Shown = Callable[[str, int, int], None]
"""(what is worked on, how much is done, of how much)."""


class BackupError(Exception):
    """A backup can't be made or used; the message says why and what to do."""


class FileEntry(msgspec.Struct):
    """One file of the backup."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, kw_only=True):
    """store: what holds the durable data. positions: how far frame log and book were. Times: ms UTC, the cloud's clock."""

    format: int = FORMAT
    version: str
    store: Literal["sqlite", "postgresql"]
    begun_ms: int
    ended_ms: int
    positions: dict[str, int]
    files: list[FileEntry]


def entry_of(path: Path, shown: Shown) -> FileEntry:
    """Size and hash of a file."""
    digest = hashlib.sha256()
    size_bytes, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            done += len(piece)
            shown(f"check {path.name}", done, size_bytes)
    return FileEntry(path.name, done, digest.hexdigest())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it down for good."""
    path = folder / NAME
    path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    settle(path)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup. Raises BackupError."""
    try:
        manifest = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise BackupError(f"{folder} is not a whole backup: there is no {NAME} in it") from None
    except msgspec.MsgspecError as error:
        raise BackupError(f"{folder / NAME} can't be read: {error}") from error
    if manifest.format > FORMAT:
        raise BackupError(f"this backup was made by Linli {manifest.version}, which is newer; install that one first")
    return manifest


def check_files(folder: Path, manifest: Manifest, shown: Shown) -> None:
    """Raises BackupError naming the first file that is not what the manifest says."""
    for entry in manifest.files:
        path = folder / entry.name
        if Path(entry.name).name != entry.name or not path.is_file():
            raise BackupError(f"{path} is missing; this backup can't be used")
        found = entry_of(path, shown)
        if found != entry:
            raise BackupError(f"{path} is not what {NAME} says ({found.size_bytes} bytes, sha256 {found.sha256})")


def settle(path: Path) -> None:
    """Return when the file, or the names in the folder, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
