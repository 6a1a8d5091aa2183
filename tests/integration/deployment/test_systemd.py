"""The systemd units: what they name is there, systemd accepts them, and the agent needs no more than they allow."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_agent.settings import Settings
from tests.brokers import running_broker
from tests.devices import ForeignClient, reading
from tests.integration.deployment.compose import REPOSITORY
from tests.processes import BIN, EdgeAgent, wait_for

UNITS = sorted((REPOSITORY / "deploy" / "systemd").glob("*.service"))
EXPOSURE_MAX = 1.5
"""Of 10, by `systemd-analyze security`; a unit that says nothing has 9.6."""
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "MemoryDenyWriteExecute": "yes",
    "Restart": "always",
}

each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)


def lines(unit: Path) -> list[tuple[str, str]]:
    """(key, value) of every line."""
    found = re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE)
    return [(key, value) for key, value in found]


def here(unit: Path, folder: Path) -> Path:
    """The unit with this repository and its environment where an installation has /opt/linli."""
    copy = folder / unit.name
    text = unit.read_text().replace("/opt/linli/.venv/bin", str(BIN)).replace("/opt/linli", str(REPOSITORY))
    copy.write_text(text)
    return copy


@each_unit
def test_systemd_accepts_it(unit: Path, tmp_path: Path) -> None:
    for each in UNITS:
        here(each, tmp_path)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / unit.name], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    security = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", tmp_path / unit.name],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", security.stdout)
    assert exposure and float(exposure[1]) <= EXPOSURE_MAX, security.stdout


@each_unit
def test_hardened(unit: Path) -> None:
    said = dict(lines(unit))
    assert {key: said.get(key) for key in HARDENED} == HARDENED
    assert said.get("DynamicUser") == "yes" or said["User"] in (unit.parent / "linli.sysusers.conf").read_text()
    assert "WatchdogSec" not in said, "nothing pings systemd"


def test_every_setting_of_the_agent_is_one() -> None:
    unit = next(unit for unit in UNITS if unit.stem == "linli-edge-agent")
    for name in re.findall(r"LINLI_(\w+)=", "\n".join(value for key, value in lines(unit) if key == "Environment")):
        assert name.lower() in Settings.__struct_fields__
    said = dict(lines(unit))
    state = f"%S/{said['StateDirectory']}/"
    assert said["ExecStart"].endswith(f" run --config {state}identity/edge.toml"), "the agent must be able to renew it"
    assert said["StateDirectoryMode"] == "0700" and "LoadCredential" not in said


def test_the_broker_s_unit_sets_all_that_its_template_needs() -> None:
    unit = next(unit for unit in UNITS if unit.stem == "linli-gateway-broker")
    said = dict(lines(unit))
    template = (REPOSITORY / "broker_config" / "mosquitto-gateway.conf").read_text()
    needed = set(re.findall(r"\$([A-Z_]+)", re.sub(r"^#.*$", "", template, flags=re.MULTILINE)))
    assert needed == set(re.findall(r"([A-Z_]+)=", said["Environment"]))


def allowed_calls(unit: Path) -> set[str]:
    """The system calls that its SystemCallFilter lets through."""
    allowed: set[str] = set()
    for value in (value for key, value in lines(unit) if key == "SystemCallFilter"):
        calls = {call for each in value.lstrip("~").split() for call in members(each)}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    ).stdout
    words = [line.strip() for line in text.splitlines()[1:] if line.strip() and "#" not in line]
    return {call for word in words for call in members(word)}


def test_the_agent_makes_no_call_that_its_unit_forbids(tmp_path: Path) -> None:
    unit = next(unit for unit in UNITS if unit.stem == "linli-edge-agent")
    allowed = allowed_calls(unit)
    assert "mount" not in allowed and "openat" in allowed
    strace = shutil.which("strace")
    assert strace, "strace is not there: tests/servers.sh brings it"
    with running_broker("mosquitto-gateway", tmp_path / "broker") as broker:
        agent = EdgeAgent("gw-strace", tmp_path / "edge", broker.port, 1)
        trace = tmp_path / "trace"
        agent._arguments[:] = [strace, "-f", "-qq", "-o", str(trace), str(BIN / "edge-agent"), "run"]
        agent.start()
        try:
            where = agent.folder / "data" / "agent.json"
            wait_for(where.exists, "the agent to be up", 60)
            with ForeignClient(broker.port) as device:
                device.publish("linli-device/reading/one", reading(1, temperature=21.5))
            wait_for(lambda: "fdatasync" in trace.read_text(errors="replace"), "the reading to be committed", 30)
        finally:
            for child in Path(f"/proc/{agent.process.pid}/task/{agent.process.pid}/children").read_text().split():
                subprocess.run(["kill", "-TERM", child], check=True)  # strace itself would be left alone by it
            assert agent.process.wait(30) == 0, agent.log()
    # An installation's own set-up of the process is systemd's; the program's begins with its execve.
    made = set(re.findall(r"^\d+\s+(\w+)\(", trace.read_text(errors="replace"), re.MULTILINE))
    if os.getuid() == 0:
        made.discard("fchown")  # SQLite's, for root only; the unit's agent is not root
    assert {"execve", "openat", "fdatasync"} <= made
    assert sorted(made - allowed) == []
