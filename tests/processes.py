"""The programs as real child processes, each with its own data folder and a free port; only what was started is ended."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.brokers import Broker, Kind, free_port

Answer = TypeVar("Answer")
BIN = Path(sys.executable).parent


def wait_for(
    condition: Callable[[], Answer | None], what: str, deadline_s: float = 15, pause_s: float = 0.02
) -> Answer:
    """The condition's first true answer. Raises TimeoutError naming what was waited for."""
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"waited {deadline_s} s for {what}; the last answer was {answer!r}")
        time.sleep(pause_s)


def get_json(url: str) -> Any:
    """GET a JSON document. Raises urllib.error.URLError."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


class Program:
    """One child process that can be killed and started again."""

    def __init__(self, arguments: list[str], folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.settings = settings
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, **more: str) -> None:
        """Start it; does not wait."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(BIN / self._arguments[0]), *self._arguments[1:]],
                env={**kept, **self.settings, **more},
                stdout=log,
                stderr=log,
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The child."""
        assert self._process is not None, "not started"
        return self._process

    @property
    def alive(self) -> bool:
        """Does it run?"""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9, and proof that it happened."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(10) == -signal.SIGKILL

    def stop(self, deadline_s: float = 10) -> int:
        """SIGTERM; returns the exit code."""
        if not self.alive:
            return self.process.returncode if self._process else 0
        self.process.terminate()
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def log(self) -> str:
        """What it has written."""
        return (self.folder / "log").read_text(errors="replace")

    def resident_mb(self) -> float:
        """Its resident memory, in units of 2**20 bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def cpu_s(self) -> float:
        """Its CPU time, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class EdgeAgent(Program):
    """`edge-agent run` for one gateway."""

    def __init__(self, gateway: str, folder: Path, local_port: int, cloud_port: int, **settings: str) -> None:
        self.gateway = gateway
        super().__init__(
            ["edge-agent", "run"],
            folder,
            {
                "LINLI_GATEWAY_ID": gateway,
                "LINLI_DATA_DIR": str(folder / "data"),
                "LINLI_LOCAL_MQTT_PORT": str(local_port),
                "LINLI_CLOUD_MQTT_PORT": str(cloud_port),
                "LINLI_HEARTBEAT_S": "0.5",
                **settings,
            },
        )

    def status(self) -> dict[str, Any] | None:
        """Its status document, or None while it is not up."""
        try:
            where = json.loads((Path(self.settings["LINLI_DATA_DIR"]) / "agent.json").read_text())
            if where["pid"] != self.process.pid:
                return None
            return dict(get_json(f"http://{where['host']}:{where['port']}/status"))
        except (OSError, ValueError):
            return None

    def wait_ready(self, cloud: bool = False) -> None:
        """Until the local broker (and the cloud) is connected."""

        def ready() -> bool:
            assert self.alive, self.log()[-3000:]
            status = self.status()
            return bool(status and status["ready"]["local_broker"] and (not cloud or status["cloud"]["ingest_online"]))

        wait_for(ready, f"{self.gateway} to be ready")


class CloudApi(Program):
    """`cloud-api serve`."""

    def __init__(self, folder: Path, cloud_port: int, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(
            ["cloud-api", "serve"],
            folder,
            {
                "LINLI_DATA_DIR": str(folder / "data"),
                "LINLI_HTTP_PORT": str(self.port),
                "LINLI_MQTT_PORT": str(cloud_port),
                "LINLI_ADOPT": "auto",
                **settings,
            },
        )

    def wait_ready(self) -> None:
        """Until /readyz says so."""

        def ready() -> bool:
            assert self.alive, self.log()[-3000:]
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        wait_for(ready, "cloud-api to be ready", 20)

    def get(self, path: str, **query: object) -> Any:
        """GET below /api/v1."""
        return get_json(f"{self.url}/api/v1/{path}{'?' + urllib.parse.urlencode(query) if query else ''}")

    def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Any other request; returns status and document."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def device(self, external_id: str, **more: object) -> dict[str, Any] | None:
        """The device that gateways know by this id."""
        items = self.get("devices", external_id=external_id, **more)["items"]
        return items[0] if items else None

    def samples(self, device_id: str, metric: str) -> list[dict[str, Any]]:
        """Every sample of a metric, over all pages."""
        points: list[dict[str, Any]] = []
        cursor = ""
        while True:
            query = {"metric": metric, "start_ms": 0, "end_ms": 4_102_444_800_000, "limit": 1000}
            page = self.get(f"devices/{device_id}/telemetry", **query, **({"cursor": cursor} if cursor else {}))
            points += page["points"]
            cursor = page["next_cursor"]
            if not cursor:
                return points

    def ledger(self, gateway: str) -> dict[str, Any]:
        """A gateway's ledger."""
        return dict(self.get(f"gateways/{gateway}/ledger"))


class Site:
    """One gateway with its broker and agent, the cloud's broker, and the cloud."""

    def __init__(
        self, folder: Path, local: Kind = "nats-gateway", gateway: str = "gw-test-1", data_dir: Path | None = None,
        **agent: str,
    ) -> None:  # fmt: skip
        self.gateway = gateway
        self.cloud_broker = Broker("nats-cloud", folder / "cloud-broker")
        self.local_broker = Broker(local, folder / "local-broker")
        self.cloud = CloudApi(folder / "cloud", self.cloud_broker.port)
        if data_dir is not None:
            agent["LINLI_DATA_DIR"] = str(data_dir)
        self.agent = EdgeAgent(gateway, folder / "edge", self.local_broker.port, self.cloud_broker.port, **agent)

    def start(self) -> None:
        """Start everything, register the gateway, wait until all is connected."""
        self.cloud_broker.start()
        self.local_broker.start()
        self.cloud.start()
        self.agent.start()
        self.cloud.wait_ready()
        names = {"name": {"zh": "测试", "en": "Test"}}
        for path, body in (
            ("communities/test", names),
            (f"gateways/{self.gateway}", {"community_id": "test", **names}),
        ):
            status, answer = self.cloud.send("PUT", path, body)
            assert status == 200, answer
        self.agent.wait_ready(cloud=True)

    def balanced(self) -> dict[str, Any] | None:
        """The ledger when nothing is in flight any more and it adds up, else None."""
        ledger = self.cloud.ledger(self.gateway)
        status = self.agent.status()
        quiet = status is not None and status["gauges"]["buffered_samples"] == 0
        return ledger if quiet and ledger["buffered"] == 0 and ledger["balanced"] else None


@contextmanager
def running_site(
    folder: Path,
    local: Kind = "nats-gateway",
    data_dir: Path | None = None,
    cloud: dict[str, str] | None = None,
    **agent: str,
) -> Iterator[Site]:
    """A whole site for the length of a test; on the way out everything is stopped, whatever happened.

    cloud, agent  settings of the two programs
    """
    site = Site(folder, local, data_dir=data_dir, **agent)
    site.cloud.settings.update(cloud or {})
    with ExitStack() as stack:
        for part in (site.cloud_broker, site.local_broker):
            stack.callback(part.stop)
        for program in (site.cloud, site.agent):
            stack.callback(lambda each=program: each.stop() if each.alive else None)
        try:
            site.start()
            yield site
        except BaseException:
            print("--- edge-agent\n", site.agent.log()[-4000:], "\n--- cloud-api\n", site.cloud.log()[-4000:])
            raise
