"""A certificate is renewed while the agent runs; whenever the agent dies, it comes in again; and an ended one is said."""

import json
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509

from cloud_api.identity.authority import GatewayAuthority
from edge_agent.provisioning.identity_files import facts_lines, read_facts
from edge_agent.provisioning.requests import identity_of, kept_key
from tests.brokers import running_broker
from tests.certificates import Identity
from tests.devices import ForeignClient, reading
from tests.integration.broker_access.client import connack, context
from tests.integration.identity.estate import Estate, agent_of, running_estate
from tests.processes import BIN, EdgeAgent, wait_for

LIFE_S = 150
DUE_S = 9
"""After its issue: the cloud gives no other one within the first twentieth of a life."""
POINTS = ("before_request", "after_next_kept", "before_promotion", "after_promotion")


def make_due(identity: Path) -> None:
    """Its first lines, by which the agent goes, say an earlier begin: two thirds of that life are over soon."""
    facts = read_facts(identity)
    assert facts is not None
    due_ms = int(time.time() * 1000) + DUE_S * 1000
    rest = identity.read_text().partition("-----")
    identity.write_text(facts_lines(facts._replace(begins_ms=3 * due_ms - 2 * facts.ends_ms)) + rest[1] + rest[2])


def test_certificates_are_renewed_whatever_is_killed(tmp_path: Path) -> None:
    """F45: one agent is left alone, the others are killed at each step of it; all are there with new certificates."""
    with (
        running_estate(tmp_path, "nats-cloud-tls", LINLI_CERTIFICATE_VALID_S=str(LIFE_S)) as estate,
        running_broker("nats-gateway", tmp_path / "local") as local,
        ExitStack() as stack,
    ):
        agents: dict[str, EdgeAgent] = {}
        for number, point in enumerate(("", *POINTS)):
            gateway = f"gw-{number}"
            folder = estate.bring_in(gateway)
            make_due(folder / "gateway.pem")
            crash = {"LINLI_CRASH_AT": point} if point else {}
            agents[gateway] = agent_of(folder, tmp_path / f"edge-{number}", local.port, **crash)
            stack.callback(lambda agent=agents[gateway]: agent.stop() if agent.alive else None)
            agents[gateway].start()
        old = tmp_path / "old.pem"
        shutil.copy(tmp_path / "gw-0" / "gateway.pem", old)
        first = {gateway: estate.certificates(gateway)[-1]["serial"] for gateway in agents}
        for number, point in enumerate(POINTS, 1):
            agent = agents[f"gw-{number}"]
            wait_for(lambda agent=agent: not agent.alive, f"the agent to die {point}", 40)  # type: ignore[misc]
            del agent.settings["LINLI_CRASH_AT"]
            agent.start()
        for gateway, agent in agents.items():
            wait_for(lambda gateway=gateway: renewed(estate, gateway, first[gateway]), gateway, 40)  # type: ignore[misc]
            agent.wait_ready(cloud=True)
        (shown,) = [each for each in estate.certificates("gw-0") if each["serial"] == first["gw-0"]]
        assert shown["revoked_ms"] < shown["ends_ms"], "it ended by itself: nothing was revoked"
        kept = wait_for(lambda: read_facts(tmp_path / "gw-0" / "gateway.pem"), "the identity")
        assert kept.serial != first["gw-0"]
        assert {each.name for each in (tmp_path / "gw-0").iterdir()} == {
            "gateway.pem", "cloud-ca.pem", "edge.toml", "claim", "profile_key.pem"
        }  # fmt: skip
        wait_for(lambda: not let_in(estate, old), "the old certificate to be refused")
        with ForeignClient(local.port) as devices:
            devices.publish("linli-device/reading/thermo-1", reading(1))
            wait_for(lambda: estate.cloud.ledger("gw-0")["stored"] >= 1, "a reading by the new certificate")
        away_for_too_long(estate, agents["gw-0"])


def renewed(estate: Estate, gateway: str, first: str) -> bool:
    newest, *others = estate.certificates(gateway)
    ended = {each["reason"] for each in others}
    return bool(newest["serial"] != first and newest["first_used_ms"] and ended == {"replaced_by_renewal"})


def let_in(estate: Estate, identity: Path) -> bool:
    try:
        return connack(estate.broker.port, context(estate.ca, Identity(identity, identity)), "gw-0") == 0
    except OSError:
        return False


def away_for_too_long(estate: Estate, agent: EdgeAgent) -> None:
    """Its certificate has ended: agent and doctor say how it gets back, and it does."""
    agent.stop()
    identity = estate.folder / "gw-0" / "gateway.pem"
    authority = GatewayAuthority.load(
        estate.installation / "gateways" / "authority.pem", estate.installation / "gateways" / "authority.key", 60
    )
    key = kept_key(estate.folder / "ended.key")
    long_ago_ms = int(time.time() * 1000) - 40 * 86_400_000
    ended = authority.issue("gw-0", "liuyuan", key.public_key(), x509.random_serial_number(), long_ago_ms)
    identity.write_bytes(identity_of(key, authority.with_chain(ended), "gw-0")[1])
    with pytest.raises(OSError, match="expired"):
        connack(estate.broker.port, context(estate.ca, Identity(identity, identity)), "gw-0")
    agent.start()

    def says_how() -> bool:
        status = agent.status()
        return bool(
            status and "ended 39 days ago" in status["parts"]["cloud"] and "provision" in status["parts"]["cloud"]
        )

    wait_for(says_how, "the agent to say how it gets back")
    command = [BIN / "edge-agent", "doctor", "--json", "--config", estate.folder / "gw-0" / "edge.toml"]
    found = subprocess.run(command, env={"PATH": "/usr/bin", **agent.settings}, capture_output=True, text=True)
    failed = [each["text"] for each in json.loads(found.stdout) if each["verdict"] == "fail"]
    assert found.returncode == 40 and "gw-0 ended" in failed[0], found.stdout
    estate.bring_in("gw-0")
    agent.wait_ready(cloud=True)
