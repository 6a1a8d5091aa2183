"""The outbox file while it is open: one SQLite connection, used by one thread only. Everything here blocks.

WAL mode, synchronous=FULL. There is a way on when the disk is full, and when somebody takes the file away.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_agent.outbox.file import OutboxDamaged, files_of, is_damage, is_full, open_file
from edge_agent.outbox.room import Disk

log = logging.getLogger(__name__)

RESERVE_BYTES = 1_048_576


class Database:
    """The open file.

    look_round  called whenever the file has been opened: what is held in memory is read anew
    is_pressed  the disk was full; until ``eased`` is called
    """

    def __init__(self, path: Path, look_round: Callable[[], None], checkpoint: Callable[[str], None]) -> None:
        self.path = path
        self.checkpoint = checkpoint
        self.is_open = False
        self.is_pressed = False
        self._look_round = look_round
        self._reserve = path.with_name(f"{path.name}.reserve")

    def open(self) -> None:
        """Open or create the file; also after it was set aside. Raises OutboxDamaged, OutboxNewer, sqlite3.Error."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._open()
        except sqlite3.Error as error:
            if not (is_full(error) and self._reserve.exists()):
                raise
            self._reserve.unlink()
            self._open()
        self._keep_reserve()

    def _open(self) -> None:
        self.connection = open_file(self.path, self.disk().size_bytes)
        try:
            self._inode = self.path.stat().st_ino
            self._look_round()
        except BaseException as error:
            self.connection.close()
            # The check at opening finds no fault in a page that stands in another table's place.
            if isinstance(error, TypeError | ValueError) or (isinstance(error, sqlite3.Error) and is_damage(error)):
                raise OutboxDamaged(str(error)) from error
            raise
        self.is_open = True

    def close(self) -> None:
        """Close the file."""
        self.is_open = False
        self.connection.close()

    def disk(self) -> Disk:
        """The file system that the file is on."""
        return disk_of(self.path.parent)

    def execute(self, sql: str, parameters: Iterable[Any] = ()) -> sqlite3.Cursor:
        """One statement; by itself it is a transaction."""
        return self.connection.execute(sql, tuple(parameters))

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All of it is on disk when this is left, or nothing of it when an error comes out."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException as error:
            if self.connection.in_transaction:  # some errors (a full disk) have rolled back already
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) and is_full(error):
                self._disk_is_full()
            raise

    # --- a full disk ---

    def _keep_reserve(self) -> None:
        """A file that only takes room: given up when the disk is full, so that even then frames can be deleted."""
        disk = self.disk()
        size = min(RESERVE_BYTES, disk.size_bytes // 16)
        if self._reserve.exists() or disk.free_bytes < 3 * size:
            return
        try:
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            self._reserve.unlink(missing_ok=True)

    def _disk_is_full(self) -> None:
        """Give up the reserve, and bring what is in the write-ahead log into the file, which frees the log."""
        self.is_pressed = True
        self._reserve.unlink(missing_ok=True)
        with contextlib.suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def eased(self) -> None:
        """What was to be written has been written."""
        if self.is_pressed:
            self.is_pressed = False
            self._keep_reserve()

    # --- a file that was taken away ---

    def rescue_if_gone(self) -> None:
        """Somebody deleted or replaced the file under us: the open one still has everything, so it is written anew."""
        try:
            if self.path.stat().st_ino == self._inode:
                return
        except FileNotFoundError:
            pass
        rescued = self.path.with_name(f"{self.path.name}.rescued")
        log.error("the outbox file was taken away; it is written anew")
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        rescued.unlink(missing_ok=True)
        target = sqlite3.connect(rescued)
        try:
            target.execute("PRAGMA synchronous=FULL")
            self.connection.backup(target)
        finally:
            target.close()
        self.close()
        for left in files_of(self.path)[1:]:
            left.unlink(missing_ok=True)
        rescued.replace(self.path)
        self.checkpoint("rescued")
        self.open()


def disk_of(folder: Path) -> Disk:
    """The file system of this folder."""
    found = os.statvfs(folder)
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)
