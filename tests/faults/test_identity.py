"""F30, F31: the same gateway twice, from a copied disk; and last week's image of the disk put back."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.brokers import running_broker
from tests.devices import ForeignClient, reading
from tests.faults import LONG
from tests.faults.ledger import accounted_for
from tests.faults.test_points import produced, send
from tests.processes import BIN, EdgeAgent, running_site, wait_for


def shown(agent: EdgeAgent, verb: str) -> str:
    """What `edge-agent VERB` prints for this agent's folder."""
    environment = {"PATH": "/usr/bin", **agent.settings}
    return subprocess.run([BIN / "edge-agent", verb], env=environment, capture_output=True, text=True).stdout


def test_the_same_identity_twice(tmp_path: Path) -> None:
    """F30: the second one is fenced off, is told so, keeps what it reads, and harms the first in nothing."""
    with running_site(tmp_path) as site, running_broker("nats-gateway", tmp_path / "twin-broker") as other:
        send(site, "first", range(50))
        wait_for(lambda: produced(site) == 100 and site.balanced(), "the first messages")
        site.agent.stop()
        shutil.copytree(site.agent.folder / "data", tmp_path / "twin" / "data")
        site.agent.start()
        site.agent.wait_ready(cloud=True)
        epoch = (site.agent.status() or {})["epoch"]
        twin = EdgeAgent(site.gateway, tmp_path / "twin", other.port, site.cloud_broker.port)
        begun = time.monotonic()
        twin.start()
        try:
            fenced = lambda: (twin.status() or {"cloud": {}})["cloud"].get("not_fenced") is False  # noqa: E731
            wait_for(fenced, "the second one to be fenced off", 60)
            print(f"fenced after {time.monotonic() - begun:.1f} s")
            with ForeignClient(other.port) as client:
                client.publish("linli-device/reading/second", reading(1, temperature=20))
            wait_for(lambda: (twin.status() or {"gauges": {"buffered_samples": 0}})["gauges"]["buffered_samples"] >= 2,
                     "the second one to keep what it reads")  # fmt: skip
            assert (twin.status() or {})["epoch"] == epoch, "it is no copy: the fault did not happen"
            site.agent.wait_ready(cloud=True)
            send(site, "first", range(50, 100))
            ledger = accounted_for(site, "first", list(range(100)))
            assert ledger["declared_dropped"] == 0
            assert site.cloud.device("second") is None
            twins = [item["twin_seen_ms"] for item in site.cloud.get("gateways")["items"]]
            assert twins[0] and abs(twins[0] - time.time() * 1000) < 60_000
            assert "another instance of this gateway is alive" in shown(twin, "status")
            if LONG:  # the first one goes for good: a minute later the second one is heard, in an epoch of its own
                site.agent.stop()
                found = wait_for(lambda: site.cloud.device("second"), "the second one to be heard", 180)
                assert len(site.cloud.samples(found["id"], "message_count")) == 1
                assert (twin.status() or {})["epoch"] != epoch
        finally:
            twin.stop()


@pytest.mark.parametrize("elsewhere", [False, True] if LONG else [False])
@pytest.mark.long
def test_last_weeks_image_is_put_back(tmp_path: Path, elsewhere: bool) -> None:
    """F31: in the same place, or in another folder (another machine). No number is used twice, both streams are kept."""
    with running_site(tmp_path) as site:
        send(site, "image", range(50))
        wait_for(lambda: produced(site) == 100 and site.balanced(), "the first week")
        site.agent.stop()
        data = site.agent.folder / "data"
        shutil.copytree(data, tmp_path / "image")
        site.agent.start()
        send(site, "image", range(50, 100))
        wait_for(lambda: produced(site) == 200 and site.balanced(), "the second week")
        epoch = (site.agent.status() or {})["epoch"]
        site.agent.stop()
        if elsewhere:
            data = tmp_path / "elsewhere"
            site.agent.settings["LINLI_DATA_DIR"] = str(data)
            shutil.copytree(tmp_path / "image", data)
        else:
            for path in data.iterdir():
                path.unlink()
            shutil.copytree(tmp_path / "image", data, dirs_exist_ok=True)
        site.agent.start()
        site.agent.wait_ready()
        send(site, "image", range(100, 200))
        # Elsewhere it is another instance: the first one has said that it leaves, so it waits for seconds, not for a minute.
        wait_for(lambda: (site.agent.status() or {"epoch": epoch})["epoch"] != epoch, "a new epoch", 60)
        ledger = accounted_for(site, "image", list(range(200)))
        assert ledger["declared_dropped"] == 0
        assert len({each["epoch"] for each in ledger["epochs"]}) == 2
        assert "the cloud holds other frames of this epoch" in site.agent.log()
