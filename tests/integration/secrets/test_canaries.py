"""Marked secrets, put wherever secrets go in, are in nothing that comes out; what holds a key is its owner's alone."""

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.devices import ForeignClient
from tests.processes import BIN, Program, Site, running_site, wait_for

CLOUD_SECRETS = ("MQTT_PASSWORD", "DATABASE_PASSWORD", "TELEMETRY_PASSWORD", "TELEMETRY_TOKEN")
EDGE_SECRETS = ("LOCAL_MQTT_PASSWORD", "CLOUD_MQTT_PASSWORD")


class Canaries:
    """Secrets that are found again."""

    def __init__(self, folder: Path) -> None:
        self.all: list[str] = []
        self._folder = folder
        folder.mkdir()

    def new(self, name: str) -> str:
        self.all.append(f"Canary-{name}-{len(self.all):04d}")
        return self.all[-1]

    def file(self, name: str) -> str:
        path = self._folder / name
        path.write_text(self.new(name) + "\n")
        path.chmod(0o600)
        return str(path)

    def files(self, *names: str) -> dict[str, str]:
        return {f"LINLI_{name}_FILE": self.file(name) for name in names}


def said(site: Site) -> Iterator[tuple[str, str]]:
    """Everything that the programs have said: logs, figures, documents."""
    programs: tuple[Program, ...] = (site.cloud, site.agent)
    for program in programs:
        yield f"{program.folder.name}'s log", program.log()
    yield "metrics", site.cloud.metrics()
    yield "status", json.dumps(site.agent.status())
    for path in ("audit", "quarantine", "commands", f"gateways/{site.gateway}/charging", "devices", "gateways"):
        yield path, json.dumps(site.cloud.get(path))


def test_no_secret_comes_out(tmp_path: Path) -> None:
    canaries = Canaries(tmp_path / "secrets")
    cloud = {**canaries.files(*CLOUD_SECRETS), "LINLI_MQTT_USERNAME": "cloud", "LINLI_LOG_LEVEL": "debug"}
    names = {"LINLI_LOCAL_MQTT_USERNAME": "agent", "LINLI_CLOUD_MQTT_USERNAME": "agent"}
    edge = {**canaries.files(*EDGE_SECRETS), **names, "LINLI_LOG_LEVEL": "debug"}
    with running_site(tmp_path, cloud=cloud, **edge) as site, ForeignClient(site.local_broker.port) as client:
        client.publish("linli-device/valve/v1/state", json.dumps({"valve_open": True}).encode())
        device = wait_for(lambda: site.cloud.device("v1"), "the valve")
        password, tag = canaries.new("charge-point"), canaries.new("tag")
        charging = {
            "fuse_a": 63,
            "charge_points": [{"charge_point": "CP-1", "password": password}],
            "tokens": [{"name": "Flat 12", "id_tag": tag}],
        }
        assert site.cloud.send("PUT", f"gateways/{site.gateway}/charging", charging)[0] == 200
        wrong = {**charging, "fuse_a": -1, "tokens": [{"name": "x" * 500, "id_tag": canaries.new("tag") * 9}]}
        status, problem = site.cloud.send("PUT", f"gateways/{site.gateway}/charging", wrong)
        assert status == 422 and not any(canary in json.dumps(problem) for canary in canaries.all)
        site.cloud.send("POST", "provision", {"code": canaries.new("code"), "request": canaries.new("csr")})
        assert site.cloud.order(device["id"], "k", "close_valve")[0] == 202
        wait_for(lambda: "executing" in site.agent.log(), "the command at the gateway")
        version = site.cloud.get(f"gateways/{site.gateway}")["desired_version"]
        wait_for(
            lambda: site.cloud.get(f"gateways/{site.gateway}")["reported_version"] == version,
            "the gateway to know its site",
        )
        for program in (site.cloud, site.agent):
            for verb in (["cloud-api", "serve"] if program is site.cloud else ["edge-agent", "run"],):
                shown = subprocess.run(
                    [str(BIN / verb[0]), verb[1], "--print-config"],
                    env=program.settings, capture_output=True, text=True, check=True,
                )  # fmt: skip
                assert "***" in shown.stdout
                assert not any(canary in shown.stdout + shown.stderr for canary in canaries.all)
        for where, text in said(site):
            assert len(text) > 2, where
            for canary in canaries.all:
                assert canary not in text, f"{canary} is in {where}"
        for folder in (site.cloud.folder, site.agent.folder):
            assert_private(folder / "data")


def assert_private(folder: Path) -> None:
    """What only the owner may read is so, and the folder, in which sites' secrets are, is the owner's too."""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for path in folder.rglob("*"):
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
