"""The whole system as `make run` starts it, for tests that look at it from outside."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.brokers import free_port
from tests.letting_in import bearer
from tests.processes import BIN, wait_for


class RunningSystem:
    """`simulate demo` in a data folder of its own, on free ports."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.http_port = free_port()
        self.base_url = f"http://127.0.0.1:{self.http_port}"
        self._out = data_dir.parent / f"{data_dir.name}.out"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, deadline_s: float = 60) -> float:
        """Start and wait for the ready line; returns how long it took, s."""
        began = time.monotonic()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
        with self._out.open("wb") as out:
            self._process = subprocess.Popen(
                [str(BIN / "simulate"), "demo"],
                env={
                    **kept,
                    "LINLI_DATA_DIR": str(self.data_dir),
                    "LINLI_HTTP_PORT": str(self.http_port),
                    "LINLI_MQTT_PORT": "0",
                    "LINLI_SITE_MQTT_PORT": "0",
                    "LINLI_OCPP_PORT": "0",
                },
                stdout=out,
                stderr=subprocess.STDOUT,
            )

        def ready() -> bool:
            assert self.process.poll() is None, self.output()
            return f"Linli is ready: {self.base_url}" in self.output()

        wait_for(ready, "the ready line", deadline_s)
        return time.monotonic() - began

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The supervisor."""
        assert self._process is not None
        return self._process

    def ask(self, path: str, body: object = None, **headers: str) -> Any:
        """GET, or POST with a body, below /api/v1, as the demo's administrator. Raises OSError."""
        token = self.demo["accounts"]["administrator"]["token"]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"{self.base_url}/api/v1/{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Content-Type": "application/json", **bearer(token), **named},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def output(self) -> str:
        """What it has printed."""
        return self._out.read_text(errors="replace")

    @property
    def demo(self) -> dict[str, Any]:
        """demo.json."""
        return dict(json.loads((self.data_dir / "demo.json").read_text()))

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


def is_alive(pid: int) -> bool:
    """Does a process of this id run (and is not just waited for)?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def running_demo(data_dir: Path) -> Iterator[RunningSystem]:
    """The system for the length of a test; nothing of it is left."""
    system = RunningSystem(data_dir)
    pids: list[int] = []
    try:
        system.start()
        yield system
    finally:
        if (data_dir / "demo.json").exists():
            pids = list(system.demo["pids"].values())
        system.stop()
        wait_for(lambda: not any(map(is_alive, pids)), "every process to be gone")
