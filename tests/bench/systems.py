"""What is compared, each with the same handles: Linli, thingsboard-gateway, Mosquitto as a bridge.

All stand between a site's sensors and a broker in the north. The program under test has a core to itself.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Protocol

import msgspec

from tests.bench.load import PROFILE, RawPublisher, Watcher
from tests.brokers import Broker, free_port, wait_until_listening
from tests.processes import CloudApi, EdgeAgent, Site, wait_for

PEER = Path(__file__).parents[2] / ".build" / "bench"
"""The environment of thingsboard-gateway: `make bench` makes it from locks/bench.txt."""
VALUES = 4
_AVAILABLE = sorted(os.sched_getaffinity(0))
MINE, OTHERS = _AVAILABLE[0], _AVAILABLE[-1]
"""The core of the program under test, and the core of everything else."""


def pin(pid: int, core: int) -> None:
    """Every thread of a process on one core; what it starts later follows."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


class System(ABC):
    """A program between sensors and the north. ``readings``: how many make a saturated run of some seconds."""

    name: str
    readings: int
    port: int
    """Where the sensors publish."""

    @abstractmethod
    def start(self) -> None:
        """Start everything and wait until it works."""

    @abstractmethod
    def stop(self) -> None:
        """Stop everything."""

    @property
    @abstractmethod
    def pid(self) -> int:
        """The program under test."""

    @abstractmethod
    def arrived(self) -> int:
        """Different readings that are in the north, of all times."""

    @abstractmethod
    def repeated(self) -> int:
        """Readings that came to the north more than once."""

    @abstractmethod
    def uplink_bytes(self) -> int:
        """Bytes of payload that have gone north, of all times."""

    @abstractmethod
    def north_away(self) -> None:
        """The north's broker ends."""

    @abstractmethod
    def north_back(self) -> None:
        """It is there again."""

    @abstractmethod
    def kill(self) -> None:
        """kill -9 of the program under test."""

    @abstractmethod
    def restart(self) -> None:
        """Start it again on what its disk holds."""

    def cpu_s(self) -> float:
        """CPU time of the program under test, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Its resident memory, in units of 2**20 bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class LinliParts(Protocol):
    """One gateway with its broker, the cloud's broker and the cloud: a ``Site``, or one with everything on."""

    gateway: str
    local_broker: Broker
    cloud_broker: Broker
    cloud: CloudApi
    agent: EdgeAgent

    def start(self) -> None:
        """Start everything, wait until all is connected."""


class Linli(System):
    """The agent, with its local broker, the cloud's broker and the cloud. By default without TLS between those, as the peers."""

    name = "linli"
    readings = 60_000

    def __init__(self, folder: Path, site: LinliParts | None = None) -> None:
        self.site = site or Site(folder, "nats-gateway", LINLI_PROFILES=str(PROFILE))
        self.port = self.site.local_broker.port

    def start(self) -> None:
        self.site.start()
        for pid in (self.site.local_broker.pid, self.site.cloud_broker.pid, self.site.cloud.process.pid):
            pin(pid, OTHERS)
        pin(self.pid, MINE)

    def stop(self) -> None:
        for part in (self.site.agent, self.site.cloud):
            if part.alive:
                part.stop()
        self.site.local_broker.stop()
        self.site.cloud_broker.stop()

    @property
    def pid(self) -> int:
        return self.site.agent.process.pid

    def arrived(self) -> int:
        return int(self.site.cloud.ledger(self.site.gateway)["stored"]) // VALUES

    def repeated(self) -> int:
        return 0  # the frame log holds each frame once: one more would show as more than was published

    def uplink_bytes(self) -> int:
        status = wait_for(self.site.agent.status, "the agent's status")
        return int(status["counters"]["bytes_sent"])

    def north_away(self) -> None:
        self.site.cloud_broker.kill()

    def north_back(self) -> None:
        self.site.cloud_broker.start()
        pin(self.site.cloud_broker.pid, OTHERS)

    def kill(self) -> None:
        self.site.agent.kill()

    def restart(self) -> None:
        self.site.agent.start()
        pin(self.pid, MINE)


class _Peer(System):
    """A program whose north is a Mosquitto that keeps the watcher's session while it is away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.north_port = free_port()
        self._seen: set[int] = set()
        self._repeated = 0
        self._bytes = 0
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "north").mkdir(parents=True)

    def _spawn(self, name: str, command: list[str], core: int, **environment: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, env={**os.environ, **environment}
            )
        self._children[name] = child
        pin(child.pid, core)

    def _end(self, name: str, number: int = signal.SIGTERM) -> None:
        child = self._children.pop(name, None)
        if child is not None:
            child.send_signal(number)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _mosquitto(self, name: str, port: int, core: int, more: str = "") -> None:
        place = self.folder / name
        place.mkdir(exist_ok=True)
        config = place / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"
            f"persistence true\npersistence_location {place}/\nlog_type error\n{more}"
            + ("user root\n" if os.getuid() == 0 else "")
        )
        self._spawn(name, [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(config)], core)
        wait_until_listening(port)

    def start(self) -> None:
        self._mosquitto("north", self.north_port, OTHERS)
        self._watcher = Watcher(self.north_port, self._take)
        self._start_program()

    @abstractmethod
    def _start_program(self) -> None: ...

    @abstractmethod
    def _told(self, topic: str, payload: bytes) -> tuple[str, bytes] | None: ...

    def _take(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        self._bytes += len(payload)
        return self._told(topic, payload)

    def _count(self, number: int) -> None:
        if number in self._seen:
            self._repeated += 1
        self._seen.add(number)

    def stop(self) -> None:
        self._watcher.close()
        for name in list(self._children):
            self._end(name)

    @property
    def pid(self) -> int:
        return self._children["program"].pid

    def arrived(self) -> int:
        return len(self._seen)

    def repeated(self) -> int:
        return self._repeated

    def uplink_bytes(self) -> int:
        return self._bytes

    def north_away(self) -> None:
        self._end("north")

    def north_back(self) -> None:
        self._mosquitto("north", self.north_port, OTHERS)

    def kill(self) -> None:
        self._end("program", signal.SIGKILL)


class ThingsBoardGateway(_Peer):
    """thingsboard-gateway with SQLite storage, its limits lifted, in its fastest mapping. Its local broker is as Linli's."""

    name = "thingsboard_gateway"
    readings = 15_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._local = Broker("nats-gateway", folder / "local")
        self.port = self._local.port
        no_limits = dict.fromkeys(
            ("rateLimits", "dpRateLimits", "messagesRateLimits", "deviceMessagesRateLimits", "deviceRateLimits",
             "deviceDpRateLimits"), "0:0,"
        )  # fmt: skip
        gateway = {
            "thingsboard": {
                "host": "127.0.0.1", "port": self.north_port, "remoteShell": False, "remoteConfiguration": False,
                "statistics": {"enable": False, "statsSendPeriodInSeconds": 36_000}, "minPackSendDelayMS": 0,
                "minPackSizeToSend": 5_000, "maxPayloadSizeBytes": 65_000, "checkConnectorsConfigurationInSeconds": 3_600,
                "handleDeviceRenaming": False, "security": {"type": "accessToken", "accessToken": "bench"}, "qos": 1,
                "reportStrategy": {"type": "ON_RECEIVED"}, "checkingDeviceActivity": {"checkDeviceInactivity": False},
                **no_limits,
            },
            "storage": {
                "type": "sqlite", "data_file_path": f"{folder}/data/", "messages_ttl_check_in_hours": 1,
                "messages_ttl_in_days": 7, "max_read_records_count": 1_000, "writing_batch_size": 1_000, "size_limit": 1_024,
            },
            "grpc": {"enabled": False},
            "connectors": [{"type": "mqtt", "name": "bench", "configuration": "mqtt.json"}],
        }  # fmt: skip
        connector = {
            "broker": {
                "host": "127.0.0.1", "port": self.port, "clientId": "tb-gateway", "version": 4, "cleanSession": False,
                "maxMessageNumberPerWorker": 1_000, "maxNumberOfWorkers": 1, "security": {"type": "anonymous"},
            },
            "mapping": [{
                "topicFilter": "bench/+", "subscriptionQos": 1,
                "converter": {
                    "type": "json", "timeout": 60_000, "attributes": [], "timeseries": ["*"],
                    "deviceInfo": {
                        "deviceNameExpressionSource": "topic", "deviceNameExpression": "(?<=bench/)(.*)",
                        "deviceProfileExpressionSource": "constant", "deviceProfileExpression": "default",
                    },
                },
            }],
        }  # fmt: skip
        logs: dict[str, Any] = {
            "version": 1, "disable_existing_loggers": False, "formatters": {"plain": {"format": "%(asctime)s %(message)s"}},
            "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stdout"}},
            "loggers": {
                name: {"handlers": ["out"], "level": "WARNING", "propagate": False}
                for name in ("database", "service", "connector", "converter", "tb_connection", "storage", "extension")
            },
            "root": {"level": "ERROR", "handlers": ["out"]},
        }  # fmt: skip
        (folder / "config").mkdir()
        for name, document in (("tb_gateway", gateway), ("mqtt", connector), ("logs", logs)):
            (folder / "config" / f"{name}.json").write_text(json.dumps(document))
        (folder / "logs").mkdir()

    def _start_program(self) -> None:
        self._local.start()
        pin(self._local.pid, OTHERS)
        self.restart()
        probe = RawPublisher(self.port)

        def reads() -> bool:
            probe.publish_all([("bench/dev-000", b'{"message_count":-1}')])
            return bool(self._seen)

        wait_for(reads, "thingsboard-gateway to read its local broker", 40, 0.5)
        time.sleep(2)  # the probes that are still on their way
        probe.close()
        self._seen.clear()
        self._repeated = 0

    def restart(self) -> None:
        nowhere = "http://127.0.0.1:9"  # it looks for a newer version of itself: nothing shall leave this machine
        self._spawn(
            "program", [str(PEER / "bin" / "thingsboard-gateway")], MINE, HTTP_PROXY=nowhere, HTTPS_PROXY=nowhere,
            TB_GW_CONFIG_DIR=str(self.folder / "config"),
        )  # fmt: skip

    def _told(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        if topic == "v1/gateway/telemetry":
            for entries in msgspec.json.decode(payload).values():
                for entry in entries:
                    self._count(entry.get("values", entry)["message_count"])
        elif topic.startswith("v1/devices/me/rpc/request/") and b"getSessionLimits" in payload:
            limits = {"maxPayloadSize": 65_536, "maxInflightMessages": 0, "rateLimits": {}, "gatewayRateLimits": {}}
            return topic.replace("request", "response"), json.dumps(limits).encode()
        return None

    def stop(self) -> None:
        super().stop()
        self._local.stop()


class MosquittoBridge(_Peer):
    """Mosquitto with a bridge: sensors publish to it, it publishes to the north; its store is written every second."""

    name = "mosquitto_bridge"
    readings = 60_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    def _start_program(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._mosquitto(
            "program", self.port, MINE,
            f"autosave_interval 1\nconnection north\naddress 127.0.0.1:{self.north_port}\ntopic # out 1\n"
            "cleansession false\nrestart_timeout 1\nnotifications false\nbridge_protocol_version mqttv311\n"
            "keepalive_interval 5\n",
        )  # fmt: skip

    def _told(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        if topic.startswith("bench/"):
            self._count(msgspec.json.decode(payload)["message_count"])
        return None
