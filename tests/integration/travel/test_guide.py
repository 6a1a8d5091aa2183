"""docs/profiles.md's worked example, carried out with its own files and commands while everything runs."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.devices import ForeignClient
from tests.processes import BIN, Site, running_site, wait_for

GUIDE = (Path(__file__).parents[3] / "docs" / "profiles.md").read_text(encoding="utf-8")
TOPIC = "application/3/device/24e1240000000042/event/up"


def block(kind: str, containing: str) -> str:
    """The first of the guide's code blocks of this kind in which this stands."""
    found = re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    return str(next(text for text in found if containing in text))


def shell(site: Site, folder: Path, commands: str) -> str:
    """Run the commands as a person would on the gateway; each must succeed. Returns what they print."""
    environment = {
        **os.environ,
        "LINLI_TOKEN": site.cloud.let_in()["Authorization"].removeprefix("Bearer "),
        **site.agent.settings,
        "LINLI": site.cloud.url,
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guide_is_carried_out_while_everything_runs(tmp_path: Path) -> None:
    keys = tmp_path / "cloud" / "data" / "profile_key.pem"
    payload = block("json", "deviceInfo").strip()
    (tmp_path / "message.json").write_text(payload)
    (tmp_path / "acme_bl-1.yaml").write_text(block("yaml", "acme/bl-1"), encoding="utf-8")
    with (
        running_site(tmp_path, LINLI_PROFILE_KEY_FILE=str(keys)) as site,
        ForeignClient(site.local_broker.port) as bins,
    ):
        pids = site.agent.process.pid, site.cloud.process.pid
        bins.publish(TOPIC, payload.encode())

        def entries() -> Any:
            items = site.cloud.get("quarantine", gateway=site.gateway)["items"]
            return [item for item in items if item["topic"] == TOPIC]

        (refused,) = wait_for(entries, "the message to be refused")
        assert shell(site, tmp_path, block("sh", "profile check")) == block("text", "1 profile checked")
        push = block("sh", "edge-agent quarantine").replace("liuyuan", "test")
        listed = shell(site, tmp_path, push).splitlines()[0]
        assert listed == block("text", TOPIC).strip()

        device = wait_for(lambda: site.cloud.device("24e1240000000042"), "the device")
        (point,) = wait_for(lambda: site.cloud.samples(device["id"], "fill_level"), "the message from before")
        assert (point["value"], point["t_ms"]) == (50, 1_698_531_648_000)
        assert (device["profile"], device["name"]["en"]) == ("acme/bl-1", "Bin 42")
        recovered = wait_for(lambda: entries()[0]["recovered"], "the quarantine to say so")
        assert (recovered["profile"], recovered["still"]) == ("acme/bl-1", 0) and refused["recovered"] is None
        assert shell(site, tmp_path, "edge-agent quarantine") == "no refused message is kept\n"
        bins.publish(TOPIC, payload.encode())
        wait_for(lambda: len(site.cloud.samples(device["id"], "fill_level")) == 2, "the next message")
        assert pids == (site.agent.process.pid, site.cloud.process.pid)
        wait_for(site.balanced, "the ledger to balance")
