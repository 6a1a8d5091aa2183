"""Marked secrets, put wherever secrets go in, are in nothing that comes out; what holds a key is its owner's alone."""

import json
import stat
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.certificates import CloudCertificates
from tests.devices import ForeignClient
from tests.letting_in import bearer, post
from tests.processes import BIN, Program, Site, running_site, wait_for
from tests.unit.identity.test_claims import pem, request_for

CLOUD_SECRETS = ("MQTT_PASSWORD", "DATABASE_PASSWORD", "TELEMETRY_PASSWORD", "TELEMETRY_TOKEN")
EDGE_SECRETS = ("LOCAL_MQTT_PASSWORD", "CLOUD_MQTT_PASSWORD")
CREW = [{"role": "crew", "community_id": None}]


class Canaries:
    """Secrets that are found again."""

    def __init__(self, folder: Path) -> None:
        self.all: list[str] = []
        self._folder = folder
        folder.mkdir()

    def new(self, name: str) -> str:
        self.all.append(f"Canary-{name}-{len(self.all):04d}")
        return self.all[-1]

    def keep(self, *secrets: str) -> str:
        """Secrets that the system has made, the first of which is returned."""
        assert all(len(secret) > 15 for secret in secrets)
        self.all += secrets
        return secrets[0]

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
    shown = "audit", "quarantine", "commands", "devices", "gateways", "claims", "invitations", "tokens", "users"
    for path in (
        *shown,
        "claims/refused",
        f"gateways/{site.gateway}/charging",
        f"gateways/{site.gateway}/certificates",
    ):
        yield path, json.dumps(site.cloud.get(path))


def of_people(site: Site, canaries: Canaries) -> None:
    """A password, a session, an authenticator and a token: each is used as it should be, and as it should not."""
    status, invited = site.cloud.send("POST", "invitations", {"grants": CREW})
    assert status == 201
    who = {"name": "wei", "password": canaries.new("password")}
    _, cookie = post(site.cloud.url, "invitations/accept", {"code": canaries.keep(invited["code"]), **who})
    canaries.keep(cookie.partition("=")[2])
    made, _ = post(site.cloud.url, "account/authenticator", {}, Cookie=cookie)
    canaries.keep(parse_qs(urlsplit(made["link"]).query)["secret"][0])
    status, made = site.cloud.send("POST", "tokens", {"name": "reader", "grants": CREW})
    token = canaries.keep(made["secret"])
    post(site.cloud.url, "claims", {"gateway_id": site.gateway}, **site.cloud.let_in())
    foreign = f"linli_{canaries.new('token')}"
    for path, body, headers in (
        ("sessions", {**who, "password": canaries.new("password")}, {}),
        ("sessions", {**who, "totp": canaries.new("totp")}, {}),
        ("invitations/accept", {"code": invited["code"], **who}, {}),
        ("claims", {"gateway_id": site.gateway}, bearer(token)),
        ("claims", {"gateway_id": site.gateway}, bearer(foreign)),
        ("claims", {"gateway_id": site.gateway}, {"Cookie": f"linli_session={canaries.new('cookie')}"}),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(site.cloud.url, path, body, **headers)
        assert refused.value.code in (400, 401, 403, 422)
        assert_silent(canaries, f"the answer to {path}", refused.value.read().decode())


def of_gateways(site: Site, canaries: Canaries) -> None:
    """A claim's code, used in vain and then well."""
    status, claim = site.cloud.send("POST", "claims", {"gateway_id": site.gateway})
    assert status == 201, claim
    code = canaries.keep(claim["code"], claim["code"].replace("-", ""))
    for request, expected in ((canaries.new("csr"), 422), (pem(request_for()), 201), (pem(request_for()), 409)):
        status, answer = site.cloud.send("POST", "provision", {"code": code, "request": request})
        assert status == expected, answer
        assert_silent(canaries, "the answer to provision", json.dumps(answer))


def assert_silent(canaries: Canaries, where: str, text: str) -> None:
    for canary in canaries.all:
        assert canary not in text, f"{canary} is in {where}"


def test_no_secret_comes_out(tmp_path: Path) -> None:
    canaries = Canaries(tmp_path / "secrets")
    certificates = CloudCertificates(tmp_path / "tls")
    key = certificates.gateways.write_key()
    canaries.keep(*key.read_text().splitlines()[1:-1])
    cloud = {
        **canaries.files(*CLOUD_SECRETS), "LINLI_MQTT_USERNAME": "cloud", "LINLI_LOG_LEVEL": "debug",
        "LINLI_AUTHORITY_CERT": str(certificates.gateways.file), "LINLI_AUTHORITY_KEY": str(key),
        "LINLI_GATEWAY_MQTT_CA": str(certificates.broker_ca),
    }  # fmt: skip
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
        of_people(site, canaries)
        of_gateways(site, canaries)
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
            assert_silent(canaries, where, text)
        own = (site.cloud.folder / "data" / "profile_key.pem").read_text().splitlines()[1:-1]
        assert own and not any(line in text for _, text in said(site) for line in own)
        for folder in (site.cloud.folder, site.agent.folder):
            assert_private(folder / "data")


def assert_private(folder: Path) -> None:
    """What only the owner may read is so, and the folder, in which sites' secrets are, is the owner's too."""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for path in folder.rglob("*"):
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
