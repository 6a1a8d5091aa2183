"""A program with its disk, and the ways both can fail."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.simulation.disk import Disk, Files, after_power_cut, torn
from tests.simulation.process import Killed, Process, Work
from tests.simulation.world import World


class Machine:
    """A program, its disk, and the ways they can fail. Every way but ``die`` waits for its moment."""

    def __init__(self, world: World, name: str, folder: Path) -> None:
        self.world = world
        self.name = name
        self.disk = Disk(folder)
        self.process: Process | None = None
        self.dies_at_statement = -1
        """While it starts: which statement of SQL is its last; -1: it starts."""
        self._starting = False
        self._left: Files | None = None  # what was on the disk when it died while it started

    # --- what each program fills in ---

    def begin(self, process: Process) -> None:
        """Put the program's parts together and start its tasks."""
        raise NotImplementedError

    def databases(self) -> dict[str, sqlite3.Connection]:
        """Its open SQLite files, by name."""
        raise NotImplementedError

    def power_lost(self) -> None:
        """The machine's clocks are about to start anew."""

    # --- life and death ---

    @property
    def alive(self) -> bool:
        """Does it run?"""
        return self.process is not None and self.process.alive

    def start(self) -> None:
        """Start the program on what its disk holds."""
        assert not self.alive
        self.process = Process(self.world, self.name)
        self._starting = True
        with self.process.inside():
            self.begin(self.process)
        self._starting = False
        self.world.note(f"{self.name} starts")
        if self._left is not None:
            left, self._left = self._left, None
            self.die("killed while it starts", left)
        self.dies_at_statement = -1

    def close_files(self) -> None:
        """Let go of the files of a dead program."""
        for db in self.databases().values():
            db.close()

    def die(self, how: str, files: Files | None = None, power: bool = False) -> None:
        """Now. files: what is found on the disk afterwards; what there is now unless given."""
        assert self.process is not None
        self.world.fault(f"{self.name} {how}")
        files = self.disk.files() if files is None else files
        if power:
            files = after_power_cut(files, self.disk.synced_bytes(self.databases()), self.world.chance)
            self.power_lost()
            self.process.powerless = True
        self.process.kill()
        self.close_files()
        self.disk.put(files)

    def watch_start(self, db: sqlite3.Connection) -> None:
        """Called with a file that the program has just opened."""
        if self.dies_at_statement < 0 or self._left is not None:
            return
        left = self.dies_at_statement

        def statement(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0 and self._left is None and self.dies_at_statement >= 0:
                self._left = self.disk.files()

        db.set_trace_callback(statement)

    def die_at_step(self, steps: int, power: bool) -> None:
        """Before the n-th next step of its code."""
        assert self.process is not None
        how = "loses power" if power else "killed between two steps"
        self.process.die_at_step(steps, lambda: self.die(how, power=power))

    def die_at_write(self, writes: int, when: str) -> None:
        """Around the n-th next piece of work that writes to its disk. when: before, after, within."""
        assert self.process is not None

        def work(job: Work) -> None:
            nonlocal writes
            before = self.disk.files() if not writes else {}
            changes = self._changes()
            job(None)
            if self._changes() == changes:
                return
            writes -= 1
            if writes < 0:
                after = self.disk.files()
                left = {"before": before, "after": after}.get(when) or torn(before, after, self.world.chance)
                self.die(f"killed {when} a write", left)

        self.process.at_work = work

    def _changes(self) -> int:
        return sum(db.total_changes for db in self.databases().values())

    def refuse_work(self, seconds: float) -> None:
        """Its disk fails for a while: I/O errors."""
        process = self.process
        assert process is not None
        counted = False

        def work(job: Work) -> None:
            nonlocal counted
            if not counted:
                counted = True
                self.world.fault(f"{self.name} disk fails", f"for {seconds:.1f} s")
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            job(error)

        def healed() -> None:
            if process.at_work is work:
                process.at_work = None

        process.at_work = work
        self.world.after(seconds, healed)

    def place(self, armed: Callable[[], str]) -> Callable[[str], None]:
        """Crash points: the program dies where ``armed`` names the place it passes."""

        def passed(name: str) -> None:
            if armed() != name:
                return
            if self._starting:
                self._left = self._left or self.disk.files()
            elif self.alive:
                self.die(f"killed at {name}")
                raise Killed

        return passed
