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

from cloud_api.broker_access import gateways_acl, write_file
from tests.certificates import CloudCertificates

BROKER_CONFIG = Path(__file__).parents[1] / "broker_config"
Kind = Literal["nats-gateway", "nats-site", "nats-cloud", "nats-cloud-tls", "mosquitto-gateway", "mosquitto-cloud"]


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
    """One broker process; it can be killed and started again on the same ports and folder.

    port           where gateways (kinds ``cloud``) or the agent and the site's devices (kinds ``gateway``) come in
    service_port   mosquitto-cloud: where the cloud's own programs come in
    site_port      mosquitto-gateway: where devices come in that sign in
    certificates   mosquitto-cloud: what is in its $TLS folder
    tls            the same as a folder that `cloud-api authority create` has made; with TLS
    access         what the cloud keeps for it
    """

    def __init__(self, kind: Kind, folder: Path, port: int = 0, certificates: CloudCertificates | None = None) -> None:
        self.kind = kind
        self.folder = folder
        self.port = port or free_port()
        self.service_port = free_port() if kind == "mosquitto-cloud" else self.port
        self.site_port = free_port() if kind == "mosquitto-gateway" else self.port
        self.certificates = certificates
        self.access = folder / "access"
        self.prefix: list[str] = []  # what starts it: another clock
        self.tls: Path | None = None
        self.site_open = False  # mosquitto-gateway: also devices that don't sign in
        self.watches = False  # with TLS: it is reloaded when the access files change
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens."""
        (self.folder / "store").mkdir(parents=True, exist_ok=True)
        command, environment = self._mosquitto() if self.kind.startswith("mosquitto") else self._nats()
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, *command], env={**os.environ, **environment}, stdout=log, stderr=log
            )
        for port in {self.port, self.service_port, self.site_port}:
            wait_until_listening(port)

    def _nats(self) -> tuple[list[str], dict[str, str]]:
        template = string.Template((BROKER_CONFIG / f"{self.kind}.conf").read_text())
        config = self.folder / "broker.conf"
        places = {"STORE": self.folder / "store", "TLS": self.tls, "ACCESS": os.path.relpath(self.access, self.folder)}
        about = {"NAME": f"{self.kind}-{self.port}", "PORT": self.port, "SITE_HOST": "127.0.0.1"}
        config.write_text(template.safe_substitute(about, **places))
        command = [str(Path(sys.executable).parent / "nats-server"), "-c", str(config)]
        watch = {"WATCH": str(self.access / "gateways.conf")} if self.watches else {}
        return [str(BROKER_CONFIG / "reloaded.sh"), *command] if self.watches else command, watch

    def _mosquitto(self) -> tuple[list[str], dict[str, str]]:
        self.access.mkdir(exist_ok=True)
        template = self.folder / "template.conf"
        drop = "user root\n" if os.getuid() == 0 else ""  # else it drops to a user who can't write here
        template.write_text((BROKER_CONFIG / f"{self.kind}.conf").read_text() + drop)
        environment = {
            "STORE": str(self.folder / "store"),
            "ACCESS": str(self.access),
            "CONFIG": str(BROKER_CONFIG),
        }
        if self.kind == "mosquitto-gateway":
            if not (self.access / "devices.acl").exists():
                shutil.copy(BROKER_CONFIG / "devices.acl", self.access)
            (self.access / "passwords").touch()
            environment |= {"PORT": str(self.port), "SITE_PORT": str(self.site_port), "SITE_HOST": "127.0.0.1"}
            environment |= {"SITE_OPEN": str(self.site_open).lower()}
        else:
            (self.access / "gateways.acl").touch()
            if self.certificates is not None and not (self.access / "gateways.crl").exists():
                (self.access / "gateways.crl").symlink_to(self.certificates.folder / "gateways.crl")
            environment |= {
                "TLS": str(self.tls or (self.certificates and self.certificates.folder)),
                "GATEWAY_PORT": str(self.port),
                "SERVICE_PORT": str(self.service_port),
            }
            if self.watches:
                environment["WATCH"] = f"{self.access / 'gateways.acl'} {self.access / 'gateways.crl'}"
        return [str(BROKER_CONFIG / "mosquitto.sh"), str(template), str(self.folder / "broker.conf")], environment

    def allow(self, *gateways: str) -> None:
        """Let these gateways in, and no others: from the next start or ``reload`` on."""
        self.access.mkdir(parents=True, exist_ok=True)
        write_file(self.access / "gateways.acl", gateways_acl(gateways).encode())

    def reload(self) -> None:
        """SIGHUP: read access lists, passwords and the list of revoked certificates again."""
        os.kill(self.pid, signal.SIGHUP)

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
def running_broker(
    kind: Kind, folder: Path, certificates: CloudCertificates | None = None, gateways: tuple[str, ...] = (),
    site_open: bool = False,
) -> Iterator[Broker]:  # fmt: skip
    """A broker for the length of a test. gateways: who may come in at mosquitto-cloud."""
    broker = Broker(kind, folder, certificates=certificates)
    broker.site_open = site_open
    if gateways:
        broker.allow(*gateways)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
