"""The outbox file itself: opened, brought to the present version, checked, and set aside when it is damaged."""

import contextlib
import errno
import os
import shutil
import sqlite3
from pathlib import Path

VERSION = 2
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_PASSING_ERRNO = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT)
_SMALL_DISK_BYTES = 64 * 1_048_576
_FROM_1 = """
ALTER TABLE frames RENAME TO frames_1;
ALTER TABLE lanes RENAME TO lanes_1;
DROP INDEX frames_unacked;
{schema}
INSERT INTO epochs (number, epoch) SELECT 1, value FROM meta WHERE name = 'epoch';
INSERT INTO frames (epoch, lane, seq, samples, born_ms, acked, payload)
    SELECT 1, lane, seq, samples, born_ms, acked, payload FROM frames_1;
INSERT INTO lanes SELECT 1, lane, last_seq, produced, dropped FROM lanes_1;
DROP TABLE frames_1;
DROP TABLE lanes_1;
DELETE FROM meta WHERE name = 'epoch';
"""


class OutboxDamaged(sqlite3.DatabaseError):
    """The file can't be read as what it was."""


class OutboxNewer(Exception):
    """The file was written by a later version of the agent; this one must not touch it."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error says that the file's content is wrong, not that the disk is full or away."""
    return isinstance(error, OutboxDamaged) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def is_full(error: sqlite3.Error) -> bool:
    """Whether the error says that there is no room on the disk."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def may_pass(error: sqlite3.Error | OSError) -> bool:
    """Whether the error is of the disk (full, failing, read only) and may pass by itself, not a mistake of settings."""
    if isinstance(error, OSError):
        return error.errno in _PASSING_ERRNO
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


def open_file(path: Path, disk_bytes: int) -> sqlite3.Connection:
    """Open or create the file, at the present version.

    disk_bytes  size of the file system; on a small one the write-ahead log is kept small too
    Raises OutboxDamaged, OutboxNewer, sqlite3.Error.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    small = disk_bytes < _SMALL_DISK_BYTES
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-1024; "
            "PRAGMA secure_delete=OFF; "  # Debian zeroes deleted pages: on a full disk there is no room for that
            f"PRAGMA wal_autocheckpoint={32 if small else 500}; "
            f"PRAGMA journal_size_limit={131_072 if small else 4_194_304};"
        )
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise OutboxDamaged(verdict)
        _bring_up(db)
        _check_columns(db)
    except sqlite3.Error as error:
        db.close()
        if is_damage(error):
            raise OutboxDamaged(str(error)) from error
        raise
    except BaseException:
        db.close()
        raise
    return db


def _bring_up(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise OutboxNewer(
            f"the outbox is of version {version}, this agent knows {VERSION}: install the newer agent again"
        )
    if version == VERSION:
        return
    is_new = not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'frames'").fetchone()
    steps = _schema() if is_new else _FROM_1.format(schema=_schema())
    db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;")


def _check_columns(db: sqlite3.Connection) -> None:
    """The tables' description is a page like any other. Raises OutboxDamaged when it is not what it was."""
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        model.executescript(_schema())
        for (table,) in model.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            if missing := _columns(model, table) - _columns(db, table):
                raise OutboxDamaged(f"table {table} has lost {', '.join(sorted(missing))}")


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def _schema() -> str:
    return (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")


def files_of(path: Path) -> tuple[Path, Path, Path]:
    """The file, its write-ahead log and the log's index."""
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def aside_number(aside: Path) -> int:
    """The number of a file that was set aside: its place among others, by default the time at which it was."""
    number = aside.stem.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def set_aside(path: Path, at_ms: int) -> Path:
    """Rename a damaged file with its log, for salvage and for those who want to look. Returns its new path.

    The log goes first and stays until the file has gone too: a crash between leaves either both or neither in place.
    Its number is above those of all that wait, whatever the clock says: none is overwritten, and they keep their order.
    """
    waiting = path.parent.glob(f"{path.stem}-damaged-*{path.suffix}")
    number = max([at_ms, *(aside_number(other) + 1 for other in waiting)])
    aside = path.with_name(f"{path.stem}-damaged-{number}{path.suffix}")
    _, log, index = files_of(path)
    if log.exists():
        new_log = files_of(aside)[1]
        try:
            os.link(log, new_log)
        except OSError:  # a file system without links
            shutil.copyfile(log, new_log)
    with contextlib.suppress(FileNotFoundError):
        path.rename(aside)
    log.unlink(missing_ok=True)
    index.unlink(missing_ok=True)
    return aside
