"""A certificate is renewed while the agent runs; whenever the agent dies, it comes in again; and an ended one is said."""

import json
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge_agent.provisioning.identity_files import read_facts
from tests.brokers import running_broker
from tests.certificates import Identity
from tests.devices import ForeignClient, reading
from tests.integration.broker_access.client import connack, context
from tests.integration.identity.estate import agent_of, running_estate
from tests.processes import BIN, EdgeAgent, wait_for

LIFE_S = 18
POINTS = ("before_request", "after_next_kept", "before_promotion", "after_promotion")


def test_certificates_are_renewed_whatever_is_killed(tmp_path: Path) -> None:
    """F45: one agent is left alone, the others are killed at each step of it; all are there with new certificates."""
    with (
        running_estate(tmp_path, "nats-cloud-tls", LINLI_CERTIFICATE_VALID_S=str(LIFE_S)) as estate,
        running_broker("nats-gateway", tmp_path / "local") as local,
        ExitStack() as stack,
    ):
        agents: dict[str, EdgeAgent] = {}
        begun = time.monotonic()
        for number, point in enumerate(("", *POINTS)):
            gateway = f"gw-{number}"
            agents[gateway] = agent_of(
                estate.bring_in(gateway),
                tmp_path / f"edge-{number}",
                local.port,
                **{"LINLI_CRASH_AT": point} if point else {},
            )
            stack.callback(lambda agent=agents[gateway]: agent.stop() if agent.alive else None)
            agents[gateway].start()
        for agent in agents.values():
            agent.wait_ready(cloud=True)
        print(f"all are there after {time.monotonic() - begun:.1f} s")
        old = tmp_path / "old.pem"
        shutil.copy(tmp_path / "gw-0" / "gateway.pem", old)
        first = {gateway: estate.certificates(gateway)[0]["serial"] for gateway in agents}
        devices = stack.enter_context(ForeignClient(local.port))
        for number, point in enumerate(POINTS, 1):
            agent = agents[f"gw-{number}"]
            wait_for(lambda agent=agent: not agent.alive, f"the agent to die {point}", LIFE_S)  # type: ignore[misc]
            del agent.settings["LINLI_CRASH_AT"]
            agent.start()
        for gateway, agent in agents.items():

            def renewed(gateway: str = gateway) -> bool:
                newest, *others = estate.certificates(gateway)
                ended = {each["reason"] for each in others}
                return bool(
                    newest["serial"] != first[gateway] and newest["first_used_ms"] and ended == {"replaced_by_renewal"}
                )

            wait_for(renewed, f"{gateway} to use its next certificate", LIFE_S)
            wait_for(lambda agent=agent: (agent.status() or {"cloud": {}})["cloud"].get("connected"), gateway)  # type: ignore[misc]
        (shown,) = [each for each in estate.certificates("gw-0") if each["serial"] == first["gw-0"]]
        assert shown["revoked_ms"] < shown["ends_ms"], "it ended by itself: nothing was revoked"
        kept = wait_for(lambda: read_facts(tmp_path / "gw-0" / "gateway.pem"), "the identity")
        assert kept.serial != first["gw-0"]
        assert {each.name for each in (tmp_path / "gw-0").iterdir()} == {
            "gateway.pem", "cloud-ca.pem", "edge.toml", "claim", "profile_key.pem"
        }  # fmt: skip
        with pytest.raises(OSError):
            connack(estate.broker.port, context(estate.ca, Identity(old, old)), "gw-0")
        devices.publish("linli-device/reading/thermo-1", reading(1))
        wait_for(lambda: estate.cloud.ledger("gw-0")["stored"] >= 1, "a reading by the new certificate")

        # One that was away for so long that its certificate has ended is told how to get back.
        agents["gw-0"].stop()
        shutil.copy(old, tmp_path / "gw-0" / "gateway.pem")
        ends_ms = (read_facts(old) or kept).ends_ms
        wait_for(lambda: time.time() * 1000 > ends_ms, "the old certificate to end", LIFE_S)
        agents["gw-0"].start()
        wait_for(
            lambda: (
                "run edge-agent provision" in (agents["gw-0"].status() or {"parts": {"cloud": ""}})["parts"]["cloud"]
            ),
            "the agent to say so",
        )
        command = [BIN / "edge-agent", "doctor", "--json", "--config", tmp_path / "gw-0" / "edge.toml"]
        found = subprocess.run(
            command, env={"PATH": "/usr/bin", **agents["gw-0"].settings}, capture_output=True, text=True
        )
        failed = [each["text"] for each in json.loads(found.stdout) if each["verdict"] == "fail"]
        assert found.returncode == 40 and "gw-0 ended" in failed[0], found.stdout
        estate.bring_in("gw-0")
        agents["gw-0"].wait_ready(cloud=True)
