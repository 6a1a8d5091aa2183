"""A folder of SQLite files and what a crash leaves of it.

A killed program leaves what it has written. A power cut leaves what was synced, and by SQLite's own word that is: with
``synchronous=FULL`` every commit, with NORMAL only what a checkpoint has brought into the file; a front part of the rest
may be there. Small notes, which nobody syncs, may be found empty. A torn write leaves the front part of what the last
piece of work wrote. The index of the write-ahead log (-shm) is never kept.
"""

import sqlite3
import struct
from pathlib import Path
from random import Random

Files = dict[str, bytes]
_SYNCHRONOUS_FULL = 2
_WAL_HEADER, _WAL_FRAME_HEADER = 32, 24


class Disk:
    """One machine's folder. It stays the same folder: the gateway knows itself by it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    def files(self) -> Files:
        """What is on it now."""
        return {
            path.name: path.read_bytes()
            for path in sorted(self.folder.iterdir())
            if not path.name.endswith(("-shm", ".reserve"))
        }

    def put(self, files: Files) -> None:
        """Nothing but these."""
        for path in self.folder.iterdir():
            path.unlink()
        for name, content in files.items():
            (self.folder / name).write_bytes(content)

    def synced_bytes(self, databases: dict[str, sqlite3.Connection]) -> dict[str, int]:
        """Of the write-ahead logs that may lose something: how much of each is safe."""
        safe = {}
        for name, db in databases.items():
            if db.execute("PRAGMA synchronous").fetchone()[0] < _SYNCHRONOUS_FULL:
                (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
                index = (self.folder / f"{name}-shm").read_bytes()[:100]
                brought_over = struct.unpack_from("=I", index, 96)[0] if len(index) == 100 else 0
                safe[f"{name}-wal"] = _WAL_HEADER + brought_over * (page_bytes + _WAL_FRAME_HEADER)
        return safe

    def frames(self, files: Files, scratch: Path) -> list[bytes]:
        """The payloads of all frames in an outbox, without touching it."""
        scratch.mkdir()
        for name, content in files.items():
            (scratch / name).write_bytes(content)
        db = sqlite3.connect(scratch / "outbox.sqlite")
        try:
            return [row[0] for row in db.execute("SELECT payload FROM frames")]
        except sqlite3.Error:
            return []
        finally:
            db.close()
            for path in scratch.iterdir():
                path.unlink()
            scratch.rmdir()


def after_power_cut(files: Files, safe: dict[str, int], chance: Random) -> Files:
    """What is left of these files; ``safe``: see ``Disk.synced_bytes``."""
    left = dict(files)
    for name, content in files.items():
        if name in safe:
            left[name] = content[: chance.randint(min(safe[name], len(content)), len(content))]
        elif name.endswith((".json", ".new")) and chance.random() < 0.2:
            left[name] = b""
    return left


def torn(before: Files, after: Files, chance: Random) -> Files:
    """The files when the program died while ``after`` was being written over ``before``: only a front part got there."""
    found = dict(before)
    for name, new in after.items():
        old = before.get(name, b"")
        if new == old:
            continue
        if not name.endswith("-wal"):
            return after  # a checkpoint: it comes after the log has been synced
        end = chance.randint(_alike(old, new), len(new))
        found[name] = new[:end] + old[end:]
    return found


def _alike(one: bytes, other: bytes) -> int:
    """So many bytes at the front are the same."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def damaged(files: Files, chance: Random) -> Files:
    """An outbox that went bad: a page of zeros, some bits, or cut off."""
    found = dict(files)
    content = bytearray(found["outbox.sqlite"])
    way = chance.choice(["page", "bits", "cut"])
    if way == "page":
        at = chance.randrange(max(1, len(content) // 4096)) * 4096
        content[at : at + 4096] = bytes(len(content[at : at + 4096]))
    elif way == "bits":
        for _ in range(8):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    else:
        del content[chance.randrange(len(content)) :]
    found["outbox.sqlite"] = bytes(content)
    return found
