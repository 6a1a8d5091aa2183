"""A SQLite file owned by one thread; coroutines hand it their work. WAL mode."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

from device_registry import DatabaseUnavailable, ValueRefused

Answer = TypeVar("Answer")

_OF_THE_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


class SqliteThread:
    """Opens or creates the file and runs the schema.

    synchronous  FULL where a commit must survive a power cut; NORMAL where the file can be rebuilt
    Raises DatabaseUnavailable when the disk does not take that now, sqlite3.Error when the file is no database.
    """

    def __init__(self, path: Path, schema: str, synchronous: Literal["FULL", "NORMAL"]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=path.stem)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};")
            self._db.executescript(schema)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_DISK:
                raise DatabaseUnavailable(f"{path}: {error}") from error
            raise

    async def read(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Run ``work`` in the thread, outside a transaction of ours. Raises DatabaseUnavailable, ValueRefused."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._db)
        except (OverflowError, UnicodeEncodeError, sqlite3.DataError, sqlite3.IntegrityError) as error:
            raise ValueRefused(str(error)) from error
        except sqlite3.Error as error:
            raise DatabaseUnavailable(str(error)) from error

    async def write(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Run ``work`` in the thread as one transaction: all of it is committed, or nothing. Raises as ``read`` does."""

        def transaction(db: sqlite3.Connection) -> Answer:
            db.execute("BEGIN IMMEDIATE")
            try:
                answer = work(db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # some errors (a full disk) have rolled back already
                    db.execute("ROLLBACK")
                raise
            return answer

        return await self.read(transaction)

    async def close(self) -> None:
        """Close the file once all work is done."""
        await self.read(lambda db: db.close())
        self._thread.shutdown()
