"""A real InfluxDB for tests, on a free port with a folder of its own, started from the file in broker_config/."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.brokers import BROKER_CONFIG, free_port, wait_until_listening


class InfluxServer:
    """One influxd; it can be killed and started again on the same port and folder."""

    def __init__(self, folder: Path, auth: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._rpc_port = free_port()
        self._auth = auth
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        store = self.folder / "store"
        environment = {
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}",
            "INFLUXDB_BIND_ADDRESS": f"127.0.0.1:{self._rpc_port}",
            "INFLUXDB_META_DIR": str(store / "meta"),
            "INFLUXDB_DATA_DIR": str(store / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(store / "wal"),
            "INFLUXDB_HTTP_AUTH_ENABLED": str(self._auth).lower(),
        }
        with (self.folder / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [shutil.which("influxd") or "/usr/bin/influxd", "-config", str(BROKER_CONFIG / "influxdb.conf")],
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )
        wait_until_listening(self.port, 30)

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9, and proof that it happened."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait(10) == -signal.SIGKILL

    def erase(self) -> None:
        """Lose the server's disk."""
        shutil.rmtree(self.folder / "store")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not do."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def running_influx(folder: Path, auth: bool = False) -> Iterator[InfluxServer]:
    """An InfluxDB for the length of a test."""
    server = InfluxServer(folder, auth)
    server.start()
    try:
        yield server
    finally:
        server.stop()
