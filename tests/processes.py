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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from tests.brokers import Broker, Kind, free_port
from tests.certificates import CloudCertificates, Identity
from tests.faultproxy import FaultProxy
from tests.influxdb import InfluxServer, running_influx
from tests.letting_in import administrators_token, bearer
from tests.postgres import running_postgres

Answer = TypeVar("Answer")
Backends = Literal["embedded", "servers"]
"""NATS, SQLite and DuckDB, without a server; or the servers people run: Mosquitto with TLS and access lists in the cloud,
Mosquitto on the gateway, PostgreSQL, InfluxDB."""
BACKENDS: tuple[Backends, ...] = get_args(Backends)
USUAL: Backends = "servers" if os.environ.get("LINLI_BACKENDS") == "servers" else "embedded"
"""What a site runs on where a test does not say it; `make faults` runs all of them on both."""
BIN = Path(sys.executable).parent
DROPPED = "$SYS/broker/publish/messages/dropped"


def wait_for(
    condition: Callable[[], Answer | None], what: str, deadline_s: float = 15, pause_s: float | None = None
) -> Answer:
    """The condition's first true answer. Raises TimeoutError naming what was waited for.

    pause_s  between two looks; by default a tenth of what was waited, 20 to 250 ms: looking costs the programs too
    """
    began = time.monotonic()
    while True:
        answer = condition()
        if answer:
            return answer
        waited_s = time.monotonic() - began
        if waited_s > deadline_s:
            raise TimeoutError(f"waited {deadline_s} s for {what}; the last answer was {answer!r}")
        time.sleep(min(max(waited_s / 10, 0.02), 0.25) if pause_s is None else pause_s)


def get_json(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """GET a JSON document. Raises urllib.error.URLError."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers or {})), timeout=10) as answer:
        return json.loads(answer.read())


class Program:
    """One child process that can be killed and started again."""

    def __init__(self, arguments: list[str], folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.settings = settings
        self.prefix: list[str] = []  # what starts it: a network namespace, another clock
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, **more: str) -> None:
        """Start it; does not wait."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, str(BIN / self._arguments[0]), *self._arguments[1:]],
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

    def open_files(self) -> int:
        """Its open file descriptors."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

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


class IngestWorker(Program):
    """`cloud-api ingest`: one of many."""

    def __init__(self, folder: Path, cloud_port: int, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(
            ["cloud-api", "ingest"],
            folder,
            {
                "LINLI_DATA_DIR": str(folder / "data"),
                "LINLI_HTTP_PORT": str(self.port),
                "LINLI_MQTT_PORT": str(cloud_port),
                "LINLI_INGEST_SHARE": "ingest",
                **settings,
            },
        )

    def is_ready(self) -> bool:
        """What /readyz says; False while it is not up."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait_ready(self) -> None:
        """Until /readyz says so."""
        wait_for(self.is_ready, "the ingest worker to be ready", 30)

    def counts(self) -> dict[str, float]:
        """What its ingest has counted since its start: frames, duplicates, ..."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        found = (line.split(" ") for line in lines if line.startswith("linli_ingest_"))
        return {name.removeprefix("linli_ingest_").removesuffix("_total"): float(value) for name, value in found}


class CloudApi(Program):
    """`cloud-api serve`."""

    def __init__(self, folder: Path, cloud_port: int, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._let_in: dict[str, str] = {}
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

        wait_for(ready, "cloud-api to be ready", 45)

    def let_in(self) -> dict[str, str]:
        """The header of an administrator's token, made as soon as somebody asks. Raises OSError."""
        if not self._let_in:
            data_dir = Path(self.settings["LINLI_DATA_DIR"])
            self._let_in = bearer(administrators_token(self.url, data_dir))
        return self._let_in

    def ask(self, path: str, timeout_s: float = 10) -> Any:
        """The open answer to a GET below /api/v1, as an administrator; a cloud that has forgotten us lets us in again.

        Raises OSError.
        """
        for last in (False, True):
            request = urllib.request.Request(f"{self.url}/api/v1/{path}", headers=self.let_in())
            try:
                return urllib.request.urlopen(request, timeout=timeout_s)
            except urllib.error.HTTPError as error:
                if error.code != 401 or last:
                    raise
                self._let_in = {}
        raise AssertionError("not reached")

    def get(self, path: str, **query: object) -> Any:
        """GET below /api/v1."""
        with self.ask(f"{path}{'?' + urllib.parse.urlencode(query) if query else ''}") as answer:
            return json.loads(answer.read())

    def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Any other request, as an administrator; returns status and document."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Content-Type": "application/json", **self.let_in(), **named},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def order(self, device_id: str, key: str, verb: str, **body: Any) -> tuple[int, Any]:
        """Command a device, in the two steps that some verbs need; returns status and document."""
        wanted = {"verb": verb, "args": {}, **body}
        choice = {"verb": verb, "args": wanted["args"]}
        status, selection = self.send("POST", f"devices/{device_id}/selections", choice)
        if status == 201:
            wanted["selection"] = selection["id"]
        return self.send("POST", f"devices/{device_id}/commands", wanted, Idempotency_Key=key)

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

    def metrics(self) -> str:
        """What Prometheus is told."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def ledger(self, gateway: str) -> dict[str, Any]:
        """A gateway's ledger."""
        return dict(self.get(f"gateways/{gateway}/ledger"))


def tls_settings(whose: str, certificates: CloudCertificates, identity: Identity) -> dict[str, str]:
    """LINLI_<whose>_TLS_*: how to prove who we are to the cloud's broker, and it to us."""
    return {
        f"LINLI_{whose}_TLS_CA": str(certificates.broker_ca),
        f"LINLI_{whose}_TLS_CERT": str(identity.cert),
        f"LINLI_{whose}_TLS_KEY": str(identity.key),
    }


class Stores(NamedTuple):
    """The database servers that a cloud keeps everything in.

    database   gives the settings of one site's database, in a PostgreSQL
    influx     None: telemetry is in the cloud's own file
    """

    database: Callable[[], dict[str, str]]
    influx: InfluxServer | None = None


@contextmanager
def running_stores(folder: Path) -> Iterator[Stores]:
    """Both servers for the length of a test."""
    with running_postgres() as postgres, running_influx(folder / "influx") as influx:
        yield Stores(lambda: postgres.settings(postgres.new_database()), influx)


class Site:
    """One gateway with its broker and agent, the cloud's broker, and the cloud.

    stores    with them, the set "servers"; None: the set "embedded"
    workers   so many ingest workers take the frames, on a shared subscription; 0: the cloud does so itself
    """

    def __init__(
        self, folder: Path, local: Kind | None = None, stores: Stores | None = None, gateway: str = "gw-test-1",
        data_dir: Path | None = None, workers: int = 0, cloud_broker: Kind = "nats-cloud",
        broker_prefix: Sequence[str] = (), proxied: bool = False, **agent: str,
    ) -> None:  # fmt: skip
        self.gateway = gateway
        self.stores = stores
        self.workers: list[IngestWorker] = []
        self.local_broker = Broker(
            local or ("mosquitto-gateway" if stores else "nats-gateway"), folder / "local-broker"
        )
        cloud: dict[str, str] = {}
        self.certificates: CloudCertificates | None = None
        if stores is None:
            self.cloud_broker = Broker(cloud_broker, folder / "cloud-broker")
        else:
            self.certificates = certificates = CloudCertificates(folder / "tls")
            self.cloud_broker = Broker("mosquitto-cloud", folder / "cloud-broker", certificates=certificates)
            self.cloud_broker.allow(gateway)
            database = stores.database()
            cloud = {**tls_settings("MQTT", certificates, certificates.services.issue("cloud-api")), **database}
            if stores.influx is not None:
                cloud["LINLI_TELEMETRY_URL"] = stores.influx.url
                cloud["LINLI_TELEMETRY_DATABASE"] = f"linli_{gateway}_{self.cloud_broker.port}"
            agent = {**tls_settings("CLOUD_MQTT", certificates, certificates.gateways.issue(gateway)), **agent}
            for number in range(1, workers + 1):
                tls = tls_settings("MQTT", certificates, certificates.services.issue(f"ingest-{number}"))
                self.workers.append(
                    IngestWorker(folder / f"ingest-{number}", self.cloud_broker.service_port, **tls, **database)
                )
            cloud |= {"LINLI_INGEST": "workers"} if workers else {}
        self.cloud_broker.prefix = list(broker_prefix)
        # Between agent and cloud's broker, and between cloud and its broker; only there when asked for.
        self.uplink = FaultProxy(self.cloud_broker.port, seed=1)
        self.cloud_link = FaultProxy(self.cloud_broker.service_port, seed=2)
        self.proxies = (self.uplink, self.cloud_link) if proxied else ()
        uplink_port = self.uplink.port if proxied else self.cloud_broker.port
        cloud_port = self.cloud_link.port if proxied else self.cloud_broker.service_port
        self.cloud = CloudApi(folder / "cloud", cloud_port, **cloud)
        if data_dir is not None:
            agent["LINLI_DATA_DIR"] = str(data_dir)
        agent = {"LINLI_PROFILE_KEY_FILE": str(self.cloud_key), **agent}
        self.agent = EdgeAgent(gateway, folder / "edge", self.local_broker.port, uplink_port, **agent)

    def start(self) -> None:
        """Start everything, register the gateway, wait until all is connected."""
        self.cloud_broker.start()
        self.local_broker.start()
        for proxy in self.proxies:
            proxy.start()
        self.cloud.start()
        for worker in self.workers:
            worker.start()
        self.agent.start()
        self.cloud.wait_ready()
        for worker in self.workers:
            worker.wait_ready()
        names = {"name": {"zh": "测试", "en": "Test"}}
        for path, body in (
            ("communities/test", names),
            (f"gateways/{self.gateway}", {"community_id": "test", **names}),
        ):
            status, answer = self.cloud.send("PUT", path, body)
            assert status == 200, answer
        self.agent.wait_ready(cloud=True)

    @property
    def cloud_key(self) -> Path:
        """The public half of the cloud's key, as it writes it down at its start."""
        return Path(self.cloud.settings["LINLI_DATA_DIR"]) / "profile_key.pem"

    def broker_dropped(self) -> int:
        """How many messages the cloud's Mosquitto has dropped since its start, as it says itself."""
        assert self.certificates is not None
        health = self.certificates.services.issue("health")
        command = [
            "mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.cloud_broker.service_port), "-t", DROPPED, "-C", "1",
            "-W", "30", "--cafile", str(self.certificates.broker_ca), "--cert", str(health.cert),
            "--key", str(health.key),
        ]  # fmt: skip
        return int(subprocess.run(command, check=True, capture_output=True, timeout=40).stdout)

    def balanced(self) -> dict[str, Any] | None:
        """The ledger when nothing is in flight any more and it adds up, else None."""
        ledger = self.cloud.ledger(self.gateway)
        status = self.agent.status()
        quiet = status is not None and status["gauges"]["buffered_samples"] == 0
        return ledger if quiet and ledger["buffered"] == 0 and ledger["balanced"] else None


@contextmanager
def running_site(
    folder: Path, local: Kind | None = None, stores: Stores | None = None, data_dir: Path | None = None,
    workers: int = 0, cloud_broker: Kind = "nats-cloud", broker_prefix: Sequence[str] = (), proxied: bool = False,
    cloud: dict[str, str] | None = None, **agent: str,
) -> Iterator[Site]:  # fmt: skip
    """A whole site for the length of a test; on the way out everything is stopped, whatever happened.

    local, cloud_broker   other brokers than the set's own
    stores                run on the set "servers", in databases of its own there
    broker_prefix         what starts the cloud's broker: another clock
    proxied               with the proxies ``uplink`` and ``cloud_link``
    cloud, agent          settings of the two programs
    """
    with ExitStack() as stack:
        if stores is None and USUAL == "servers":
            stores = stack.enter_context(running_stores(folder))
        site = Site(
            folder, local, stores, data_dir=data_dir, workers=workers, cloud_broker=cloud_broker,
            broker_prefix=broker_prefix, proxied=proxied, **agent,
        )  # fmt: skip
        site.cloud.settings.update(cloud or {})
        for part in (site.cloud_broker, site.local_broker):
            stack.callback(part.stop)
        for proxy in site.proxies:
            stack.callback(proxy.stop)
        for program in (site.cloud, *site.workers, site.agent):
            stack.callback(lambda each=program: each.stop() if each.alive else None)
        try:
            site.start()
            yield site
        except BaseException:
            print("--- edge-agent\n", site.agent.log()[-4000:], "\n--- cloud-api\n", site.cloud.log()[-4000:])
            for worker in site.workers:
                print("--- ingest worker\n", worker.log()[-4000:])
            raise
