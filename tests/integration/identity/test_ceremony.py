"""From a claim to a gateway that runs, and out again: the real programs, on both brokers."""

import json
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.brokers import running_broker
from tests.devices import ForeignClient, reading
from tests.integration.identity.estate import NAMES, Estate, agent_of, provision, running_estate
from tests.processes import BIN, wait_for

on_both_brokers = pytest.mark.parametrize("estate", ["nats-cloud-tls", "mosquitto-cloud"], indirect=True)
on_one = pytest.mark.parametrize("estate", ["nats-cloud-tls"], indirect=True)  # has nothing to do with the broker


@pytest.fixture(scope="module")
def estate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with running_estate(tmp_path_factory.mktemp("estate"), request.param) as estate:
        yield estate


@on_both_brokers
def test_an_installer_brings_a_gateway_in_and_a_manager_shuts_it_out(estate: Estate, tmp_path: Path) -> None:
    claim = estate.claim("gw-liuyuan-1")
    assert claim["qr_svg"].startswith("<svg") and claim["code"].replace("-", "") in claim["link"]
    out = tmp_path / "gw-liuyuan-1"
    done = provision(claim["link"], "--community", "liuyuan", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "this is gw-liuyuan-1" in done.stdout
    assert {stat.S_IMODE(file.stat().st_mode) for file in out.iterdir()} == {0o600}
    certificate = x509.load_pem_x509_certificate((out / "gateway.pem").read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=gw-liuyuan-1"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]

    # What was written is all that the agent needs.
    with running_broker("nats-gateway", tmp_path / "local") as local, ExitStack() as stack:
        agent = agent_of(out, tmp_path / "edge", local.port)
        stack.callback(lambda: agent.stop() if agent.alive else None)
        agent.start()
        agent.wait_ready(cloud=True)
        devices = stack.enter_context(ForeignClient(local.port))
        devices.publish("linli-device/reading/thermo-1", reading(1))
        wait_for(lambda: estate.cloud.ledger("gw-liuyuan-1")["stored"] >= 1, "the first reading")

        status, answer = estate.cloud.send("POST", "gateways/gw-liuyuan-1/revoke", {"reason": "stolen"})
        assert (status, answer["certificates"]) == (200, 1)
        wait_for(lambda: not estate.cloud.get("gateways/gw-liuyuan-1")["online"], "the gateway to be cut off", 10)
        stored = estate.cloud.ledger("gw-liuyuan-1")["stored"]
        devices.publish("linli-device/reading/thermo-1", reading(2))
        wait_for(lambda: (agent.status() or {"gauges": {}})["gauges"].get("buffered_samples"), "it to be kept", 10)
        assert estate.cloud.ledger("gw-liuyuan-1")["stored"] == stored
        (shown,) = estate.cloud.get("gateways/gw-liuyuan-1/certificates")["items"]
        assert (shown["reason"], shown["claim_id"]) == ("stolen", claim["id"])

        # Found again: a new claim lets it in, with what it has kept.
        again = estate.claim("gw-liuyuan-1")
        settings = (out / "edge.toml").read_text()
        (out / "edge.toml").write_text(settings + "heartbeat_s = 0.4\n")
        assert provision(estate.cloud.url, again["code"], "--out", str(out)).returncode == 0
        assert sorted((out / "edge.toml").read_text().splitlines()) == sorted(
            [*settings.splitlines(), "heartbeat_s = 0.4"]
        )
        wait_for(lambda: estate.cloud.ledger("gw-liuyuan-1")["stored"] > stored, "what it had kept", 30)


@on_one
def test_a_claim_is_made_at_the_machine_itself(estate: Estate, tmp_path: Path) -> None:
    assert estate.cloud.send("PUT", "gateways/gw-cli", {"community_id": "liuyuan", **NAMES})[0] == 200
    command = [str(BIN / "cloud-api"), "claim", "create", "gw-cli"]
    settings = {"PATH": "/usr/bin", **estate.cloud.settings, "LINLI_PUBLIC_URL": estate.cloud.url}
    shown = subprocess.run(command, env=settings, capture_output=True, text=True, check=True).stdout
    assert "\u2588" in shown and f"edge-agent provision '{estate.cloud.url}/provision#" in shown
    made = json.loads(subprocess.run([*command, "--json"], env=settings, capture_output=True, check=True).stdout)
    newest, before = estate.cloud.get("claims", gateway="gw-cli")["items"]
    assert (newest["id"], newest["state"], newest["issuer"]) == (made["id"], "open", "cli")
    assert before["state"] == "withdrawn", "there is one open claim at a time"
    entry = estate.cloud.get("audit", action="create_claim", actor="cli")["items"][0]
    assert (entry["target"], entry["community"]) == (f"claims/{made['id']}", "liuyuan")
    assert provision(made["link"], "--out", str(tmp_path / "gw-cli")).returncode == 0
    again = provision(made["link"], "--out", str(tmp_path / "gw-cli"))
    assert again.returncode == 0 and "nothing was changed" in again.stdout
    other = provision(made["link"], "--out", str(tmp_path / "other"))
    assert (other.returncode, "claim_used" in other.stderr) == (31, True)
