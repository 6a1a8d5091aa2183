"""A cloud that takes gateways in, and its broker: everything made by `cloud-api authority create`, as an installation has it."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloud_api.identity.making import make_installation
from tests.brokers import Broker, Kind
from tests.processes import BIN, CloudApi, EdgeAgent

NAMES = {"name": {"zh": "测试", "en": "Test"}}


class Estate:
    """broker: "nats-cloud-tls" or "mosquitto-cloud". cloud: further settings."""

    def __init__(self, folder: Path, kind: Kind, **cloud: str) -> None:
        self.folder = folder
        self.installation = folder / "installation"
        make_installation(self.installation, ["127.0.0.1"], datetime.now(UTC))
        self.broker = Broker(kind, folder / "broker")
        self.broker.tls, self.broker.access = self.installation / "broker", self.installation / "access"
        self.broker.watches = True
        self.ca = self.installation / "broker" / "services-ca.pem"
        services, gateways = self.installation / "services", self.installation / "gateways"
        self.cloud = CloudApi(
            folder / "cloud",
            self.broker.service_port,
            LINLI_MQTT_TLS_CA=str(self.ca),
            LINLI_MQTT_TLS_CERT=str(services / "cloud-api.pem"),
            LINLI_MQTT_TLS_KEY=str(services / "cloud-api.key"),
            LINLI_AUTHORITY_CERT=str(gateways / "authority.pem"),
            LINLI_AUTHORITY_KEY=str(gateways / "authority.key"),
            LINLI_GATEWAY_MQTT_CA=str(self.ca),
            LINLI_GATEWAY_MQTT_HOST="127.0.0.1",
            LINLI_GATEWAY_MQTT_PORT=str(self.broker.port),
            LINLI_BROKER_ACCESS=str(self.broker.access),
            **cloud,
        )

    def claim(self, gateway: str, **more: object) -> dict[str, Any]:
        """A new claim for a gateway of the community that there is."""
        assert self.cloud.send("PUT", f"gateways/{gateway}", {"community_id": "liuyuan", **NAMES})[0] == 200
        status, claim = self.cloud.send("POST", "claims", {"gateway_id": gateway, **more})
        assert status == 201, claim
        return dict(claim)

    def bring_in(self, gateway: str) -> Path:
        """A claim, used. Returns the folder of the gateway's identity."""
        out = self.folder / gateway
        done = provision(self.claim(gateway)["link"], "--out", str(out))
        assert done.returncode == 0, done.stderr
        return out

    def certificates(self, gateway: str) -> list[dict[str, Any]]:
        """Newest first."""
        return list(self.cloud.get(f"gateways/{gateway}/certificates")["items"])


def provision(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`edge-agent provision` as an installer types it."""
    command = [str(BIN / "edge-agent"), "provision", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def agent_of(identity: Path, folder: Path, local_port: int, **settings: str) -> EdgeAgent:
    """An agent that has nothing but what provisioning wrote, and the port of its local broker."""
    agent = EdgeAgent(identity.name, folder, local_port, 0, **settings)
    agent._arguments += ["--config", str(identity / "edge.toml")]
    for name in ("LINLI_CLOUD_MQTT_PORT", "LINLI_GATEWAY_ID"):
        del agent.settings[name]
    return agent


@contextmanager
def running_estate(folder: Path, kind: Kind, **cloud: str) -> Iterator[Estate]:
    """Broker and cloud for the length of a test."""
    estate = Estate(folder, kind, **cloud)
    with ExitStack() as stack:
        stack.callback(estate.broker.stop)
        estate.broker.start()
        stack.callback(lambda: estate.cloud.stop() if estate.cloud.alive else None)
        estate.cloud.start()
        estate.cloud.wait_ready()
        assert estate.cloud.send("PUT", "communities/liuyuan", NAMES)[0] == 200
        try:
            yield estate
        except BaseException:
            print("--- broker\n", (estate.broker.folder / "broker.log").read_text(errors="replace")[-3000:])
            print("--- cloud-api\n", estate.cloud.log()[-4000:])
            raise
