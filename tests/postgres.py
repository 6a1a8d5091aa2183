"""A real PostgreSQL for tests: on a free port, in a folder of its own, durable, as a user who is not root."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from device_registry import PostgresAddress
from tests.brokers import free_port
from tests.certificates import Identity

USER = "linli"
PASSWORD = "not-a-secret"
START_S = 30.0


def _program(name: str) -> str:
    """The newest installed version's; a missing server is a failure."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else name


def _as_user() -> list[str]:
    """PostgreSQL refuses root: become somebody who has nothing."""
    if os.getuid() != 0:
        return []
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


class Postgres:
    """One server. ``data`` is where its files are; it can be given before, such as a small file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.databases = 0
        self.tls: Identity | None = None

    def make(self) -> None:
        """Make the cluster. Access needs a password, also from loopback."""
        self.data.mkdir(parents=True, exist_ok=True)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in (self.folder, self.data, password):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        options = ["-D", str(self.data), "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"]
        command = [*_as_user(), _program("initdb"), *options, "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)

    def start(self) -> None:
        """Start and wait until it answers: also after a kill, once what is left of the one before is gone."""
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", **self._tls()}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        end = time.monotonic() + START_S
        while True:
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [*_as_user(), _program("postgres"), "-D", str(self.data), *flags],
                    stdout=log, stderr=log, cwd=self.folder,
                )  # fmt: skip
            while self._process.poll() is None:
                if self._answers():
                    return
                if time.monotonic() > end:
                    raise TimeoutError((self.folder / "log").read_text()[-2000:])
                time.sleep(0.02)
            if time.monotonic() > end:
                raise TimeoutError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.02)

    def _tls(self) -> dict[str, str]:
        """TLS is offered; plain text is still taken, so that who falls back to it is found out."""
        if self.tls is None:
            return {}
        cert, key = (Path(shutil.copy(path, self.folder)) for path in self.tls)
        for copied in (cert, key):
            shutil.chown(copied, *(("nobody", "nogroup") if os.getuid() == 0 else (os.getuid(), os.getgid())))
        return {"ssl": "on", "ssl_cert_file": str(cert), "ssl_key_file": str(key)}

    def _answers(self) -> bool:
        async def ask() -> None:
            connection = await asyncpg.connect(**self.address("postgres").connect_options(), timeout=1)
            await connection.close()

        try:
            asyncio.run(ask())
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._process is not None
        return self._process.pid

    def children(self, title: str = "") -> list[int]:
        """The server's processes whose title contains this, such as "linli" for those that serve Linli's connections."""
        found = []
        for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            try:
                if title in Path(f"/proc/{pid}/cmdline").read_text():
                    found.append(int(pid))
            except OSError:
                continue
        return found

    def kill(self) -> None:
        """kill -9 of the postmaster; what it has started ends by itself."""
        assert self._process is not None
        self._process.kill()
        assert self._process.wait(10) == -signal.SIGKILL

    def freeze(self) -> None:
        """SIGSTOP of all of it: connections are still accepted by the system, and nobody answers."""
        for pid in (self.pid, *self.children()):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        for pid in (self.pid, *self.children()):
            os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """Immediate shutdown: nobody wants what is in it any more, so it need not write it out."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)

    def address(self, database: str) -> PostgresAddress:
        """How to reach a database."""
        return PostgresAddress("127.0.0.1", self.port, USER, database, PASSWORD)

    def new_database(self, tablespace: Path | None = None) -> PostgresAddress:
        """An empty database. tablespace: an empty folder of this server's user, in which its tables are."""
        self.databases += 1
        name = f"linli_{self.databases}"
        if tablespace is not None:
            self.query(f"CREATE TABLESPACE {name} LOCATION '{tablespace}'")
        self.query(f'CREATE DATABASE "{name}"' + (f" TABLESPACE {name}" if tablespace else ""))
        return self.address(name)

    def query(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Ask the server directly."""

        async def ask() -> list[tuple[object, ...]]:
            connection = await asyncpg.connect(**self.address(database).connect_options(), timeout=10)
            try:
                return [tuple(row) for row in await connection.fetch(sql)]
            finally:
                await connection.close()

        return asyncio.run(ask())

    def settings(self, address: PostgresAddress) -> dict[str, str]:
        """LINLI_* settings of a program that uses this database."""
        return {
            "LINLI_DATABASE_URL": f"postgres://{address.user}@{address.host}:{address.port}/{address.database}",
            "LINLI_DATABASE_PASSWORD_FILE": str(self.folder / "password"),
        }


@contextmanager
def running_postgres(data: Path | None = None, tls: Identity | None = None) -> Iterator[Postgres]:
    """A server for the length of a test. data: a folder of one's own for its files, such as a small file system."""
    folder = Path(tempfile.mkdtemp(prefix="linli-postgres-"))  # not below pytest's, which only root may enter
    server = Postgres(folder)
    server.data = data or server.data
    server.tls = tls
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
