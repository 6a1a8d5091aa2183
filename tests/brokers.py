"""Real brokers for tests, on free ports with folders of their own, started from the files in broker_config/."""

import os
import shutil
import signal
import socket
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

REPOSITORY = Path(__file__).parents[1]
Kind = Literal["nats-gateway", "nats-cloud", "mosquitto-gateway"]


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_listening(port: int, deadline_s: float = 10) -> None:
    """Return when something accepts connections there. Raises TimeoutError."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError(f"nothing listens on port {port}")


class Broker:
    """One broker process; it can be killed and started again on the same port and folder."""

    def __init__(self, kind: Kind, folder: Path, port: int = 0) -> None:
        self.kind = kind
        self.folder = folder
        self.port = port or free_port()
        self.prefix: list[str] = []  # what starts it: another clock
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        store = self.folder / "store"
        store.mkdir(parents=True, exist_ok=True)
        template = string.Template((REPOSITORY / "broker_config" / f"{self.kind}.conf").read_text())
        config = self.folder / "broker.conf"
        text = template.safe_substitute(NAME=f"{self.kind}-{self.port}", PORT=self.port, STORE=store)
        if self.kind.startswith("mosquitto"):
            command = [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(config)]
            text += "user root\n" if os.getuid() == 0 else ""
        else:
            command = [str(Path(sys.executable).parent / "nats-server"), "-c", str(config)]
        config.write_text(text)
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen([*self.prefix, *command], stdout=log, stderr=log)
        wait_until_listening(self.port)

    @property
    def pid(self) -> int:
        """The process id of the running broker."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not do."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def erase(self) -> None:
        """Lose the broker's disk."""
        shutil.rmtree(self.folder / "store")


@contextmanager
def running_broker(kind: Kind, folder: Path) -> Iterator[Broker]:
    """A broker for the length of a test."""
    broker = Broker(kind, folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
