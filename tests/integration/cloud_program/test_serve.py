"""`cloud-api serve` as a process: it starts without its broker and says so, stops cleanly, and starts again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.letting_in import administrators_token, bearer

DEADLINE_S = 20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def fetch(port: int, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except urllib.error.URLError:
        return 0, None


def let_in(port: int, folder: Path) -> dict[str, str]:
    return bearer(administrators_token(f"http://127.0.0.1:{port}", folder))


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, f"the program ended with {process.returncode}"
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def serving(folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The program with a broker's address at which nobody is."""
    environment = {
        **os.environ,
        "LINLI_DATA_DIR": str(folder),
        "LINLI_HTTP_PORT": str(port),
        "LINLI_MQTT_PORT": str(free_port()),
    }
    command = [sys.executable, "-m", "cloud_api.cli", "serve"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: fetch(port, "/healthz")[0] == 200, process)
            yield process
        finally:
            process.kill()


def test_without_a_broker_it_serves_and_says_what_is_not_ready(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port):
        status, body = fetch(port, "/readyz")
        assert (status, body["ready"], body["parts"]["ingest"]) == (503, False, "the broker is not there")
        assert {name for name, state in body["parts"].items() if state == "ready"} == {
            "disk", "registry", "frame_log", "telemetry", "live", "quality", "book",
        }  # fmt: skip
        assert fetch(port, "/api/v1/devices")[0] == 401
        assert fetch(port, "/api/v1/devices", let_in(port, tmp_path)) == (200, {"items": [], "next_cursor": None})


def test_sigterm_ends_it_cleanly_also_with_a_stream_open(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as process:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/live", headers=let_in(port, tmp_path))
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as stream:
            assert stream.readline() == b"event: snapshot\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 0
        assert process.stderr is not None
        assert '"level":"error"' not in process.stderr.read()


def test_killed_and_started_again_it_has_everything(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port):
        body = json.dumps({"name": {"zh": "柳园", "en": "Willow Garden"}}).encode()
        address = f"http://127.0.0.1:{port}/api/v1/communities/willow"
        us = let_in(port, tmp_path)
        headers = {"Content-Type": "application/json", **us}
        urllib.request.urlopen(urllib.request.Request(address, body, headers, method="PUT"), timeout=5).close()
    with serving(tmp_path, port):  # the first one was killed
        assert fetch(port, "/api/v1/communities/willow", us)[1]["name"]["zh"] == "柳园"


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = {**os.environ, "LINLI_DATA_DIR": str(tmp_path), "LINLI_HTTP_PORT": port}
        ended = subprocess.run(
            [sys.executable, "-m", "cloud_api.cli", "serve"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"cloud-api: can't listen on 127.0.0.1:{port}") and ended.stderr.count("\n") == 1
