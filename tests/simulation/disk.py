"""A folder of SQLite files and what a crash leaves of it.

kill -9 and a power cut leave what was written: the next life works on a copy of each file and its write-ahead log as
they were at that moment, without the shared-memory index, as after a power cut. A torn write leaves the front part of
what the last piece of work wrote. Everything before it had been synced, because both logs run with synchronous=FULL;
SQLite's own durability is not under test here.
"""

import shutil
from pathlib import Path
from random import Random


class Disk:
    """One machine's folder, a subfolder a life."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._life = 0
        self.folder.mkdir(parents=True)

    @property
    def folder(self) -> Path:
        """Where the present life works."""
        return self._root / f"life-{self._life}"

    def files(self) -> dict[str, bytes]:
        """What is on it now."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if not path.name.endswith("-shm")}

    def crash(self, files: dict[str, bytes] | None = None) -> None:
        """A new life with these files; what there is now unless given."""
        kept = self.files() if files is None else files
        old = self.folder
        self._life += 1
        self.folder.mkdir()
        for name, content in kept.items():
            (self.folder / name).write_bytes(content)
        shutil.rmtree(old)

    def lose(self, name: str) -> None:
        """A file is gone, with its write-ahead log."""
        for path in self.folder.glob(f"{name}*"):
            path.unlink()


def torn(before: dict[str, bytes], after: dict[str, bytes], chance: Random) -> dict[str, bytes]:
    """The files when the power went while ``after`` was being written over ``before``: only a front part got there."""
    found = dict(before)
    for name, new in after.items():
        old = before.get(name, b"")
        if new == old:
            continue
        if not name.endswith("-wal"):
            return after  # a checkpoint: it comes after the log has been synced
        same = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(old))
        end = chance.randint(same, len(new))
        found[name] = new[:end] + old[end:]
    return found
