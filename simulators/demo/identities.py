"""Who the demo's programs are: an authority of its own, and gateways that came in by claims, as an installer brings them in."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from simulators.demo.settings import DemoError

BIN = Path(sys.executable).parent
MADE_ANEW_S = 200 * 86_400.0
"""The cloud's certificates hold for a year; made anew at the first start after so long."""


class Identities:
    """Below ``data_dir``: ``cloud/authority`` (see `cloud-api authority create`), ``<gateway>/identity``.

    access  what the broker reads again when it changes; tls: the folder with its certificate
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._authority = data_dir / "cloud" / "authority"
        self.access = self._authority / "access" / "gateways.conf"
        self.tls = self._authority / "broker"

    def cloud_settings(self, mqtt_port: int) -> dict[str, str]:
        """Who the cloud is at its broker, what it signs for gateways with, and what it tells them."""
        services, gateways = self._authority / "services", self._authority / "gateways"
        return {
            "LINLI_MQTT_TLS_CA": str(self.tls / "services-ca.pem"),
            "LINLI_MQTT_TLS_CERT": str(services / "cloud-api.pem"),
            "LINLI_MQTT_TLS_KEY": str(services / "cloud-api.key"),
            "LINLI_AUTHORITY_CERT": str(gateways / "authority.pem"),
            "LINLI_AUTHORITY_KEY": str(gateways / "authority.key"),
            "LINLI_GATEWAY_MQTT_CA": str(self.tls / "services-ca.pem"),
            "LINLI_GATEWAY_MQTT_PORT": str(mqtt_port),
            "LINLI_BROKER_ACCESS": str(self.access.parent),
        }

    def shown(self) -> dict[str, str]:
        """By what the broker is checked, and who may hear everything there: for demo.json."""
        service = self._authority / "services" / "ingest-1"
        return {"ca": str(self.tls / "services-ca.pem"), "cert": f"{service}.pem", "key": f"{service}.key"}

    def settings_of(self, gateway: str) -> Path:
        """The settings that provisioning writes."""
        return self._data_dir / gateway / "identity" / "edge.toml"

    def missing(self, gateways: Sequence[str]) -> list[str]:
        """Gateways that have not come in yet, or have been away for so long that their certificate has ended."""
        return [gateway for gateway in gateways if not self._holds(self.settings_of(gateway))]

    @staticmethod
    def _holds(settings: Path) -> bool:
        try:
            head = (settings.parent / "gateway.pem").read_text().partition("-----")[0]
            ends_ms = int(head.partition("# ends_ms ")[2].split()[0])
        except (OSError, ValueError, IndexError):
            return False
        return settings.exists() and time.time() * 1000 < ends_ms

    async def of_the_cloud(self) -> None:
        """Make authorities and certificates, or make anew what is old. Raises DemoError."""
        made = self._authority / "broker" / "broker.pem"
        if not self.access.exists() or time.time() - made.stat().st_mtime > MADE_ANEW_S:
            await _run("cloud-api", "authority", "create", str(self._authority), "127.0.0.1")

    async def of_gateways(self, api: httpx.AsyncClient, gateways: Sequence[str]) -> None:
        """A claim for each, made by the API and used by `edge-agent provision`. Raises DemoError, httpx.HTTPError."""
        await asyncio.gather(*[self._bring_in(api, gateway) for gateway in gateways])

    async def _bring_in(self, api: httpx.AsyncClient, gateway: str) -> None:
        answer = await api.post("claims", json={"gateway_id": gateway})
        answer.raise_for_status()
        await _run("edge-agent", "provision", answer.json()["link"], "--out", str(self.settings_of(gateway).parent))


async def _run(program: str, *arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
    process = await asyncio.create_subprocess_exec(
        str(BIN / program),
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()
    if process.returncode:
        raise DemoError(f"{program} {arguments[0]}: {error.decode(errors='replace').strip()}")
