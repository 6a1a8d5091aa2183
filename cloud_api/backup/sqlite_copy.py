"""A consistent copy of a SQLite file that another process goes on writing."""

import sqlite3
from pathlib import Path

from cloud_api.backup.manifest import BackupError, Shown, settle

PAGES_A_STEP = 2_000


def copy_database(source: Path, target: Path, shown: Shown) -> None:
    """Copy the file as it is now. Raises BackupError, also when the source or the copy is damaged.

    The read transaction holds this moment for the whole copy: without it, SQLite would begin again whenever the other
    process commits, and under load never end. Writers are not held up; only their write-ahead log grows meanwhile.
    """
    try:
        reading = sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=30)
        writing = sqlite3.connect(target, isolation_level=None)
        try:
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reading.backup(
                writing,
                pages=PAGES_A_STEP,
                progress=lambda status, left, total: shown(f"copy {source.name}", total - left, total),
            )
            (verdict,) = writing.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise BackupError(f"{source} is damaged: {verdict}")
        finally:
            writing.close()
            reading.close()
    except sqlite3.Error as error:
        raise BackupError(f"{source} can't be copied: {error}") from error
    settle(target)


def ask(path: Path, question: str) -> int:
    """One number out of a file, 0 when there is none."""
    db = sqlite3.connect(path)
    try:
        row = db.execute(question).fetchone()
    finally:
        db.close()
    return int(row[0]) if row and row[0] is not None else 0
