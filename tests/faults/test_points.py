"""F02: the agent killed at each named point of its code. Every message is stored once, or in a declared range."""

import random
from pathlib import Path

import pytest

from tests.devices import ForeignClient, reading
from tests.faults.ledger import accounted_for
from tests.processes import Site, running_site, wait_for

ON_THE_WAY = (
    "before_commit", "in_commit", "after_commit", "after_puback", "before_publish", "after_publish", "ack_come",
    "before_ack_commit", "after_ack_commit",
)  # fmt: skip
AT_SALVAGE = ("set_aside", "in_salvage", "salvaged")


def send(site: Site, device: str, numbers: range, text_bytes: int = 0) -> None:
    """Publish these numbered messages and wait until the local broker has them."""
    chance = random.Random(numbers.start)
    with ForeignClient(site.local_broker.port) as client:
        for number in numbers:
            more = {"firmware_version": chance.randbytes(text_bytes // 2).hex()} if text_bytes else {"temperature": 1}
            client.send(f"linli-device/reading/{device}", reading(number, **more), mark=number)
        wait_for(lambda: len(client.acked) == len(numbers), "the PUBACKs", 20)


def dies_at(site: Site, place: str) -> None:
    """Start the agent and see it die there."""
    site.agent.start(LINLI_CRASH_AT=place)
    wait_for(lambda: not site.agent.alive, f"the agent to die at {place}", 20)
    assert site.agent.process.returncode == -9, site.agent.log()[-2000:]


def produced(site: Site) -> int:
    """Samples that the living epoch has framed."""
    return sum(lane["produced"] for lane in (site.agent.status() or {"lanes": []})["lanes"])


def test_at_each_point_of_a_frames_way(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        for turn, place in enumerate(ON_THE_WAY):
            site.agent.stop()
            send(site, "points", range(turn * 20, turn * 20 + 20))
            dies_at(site, place)
        site.agent.start()
        site.agent.wait_ready(cloud=True)
        ledger = accounted_for(site, "points", list(range(20 * len(ON_THE_WAY))))
        assert ledger["declared_dropped"] == 0


@pytest.mark.long
def test_while_it_makes_room(tmp_path: Path) -> None:
    """After acknowledged frames were deleted, and after ones past the age cap were dropped with their declaration."""
    with running_site(tmp_path, LINLI_OUTBOX_BYTES_MAX="1048576") as site:
        site.agent.stop()
        send(site, "room", range(5_000), text_bytes=128)
        dies_at(site, "after_delete")
        site.agent.start()
        site.agent.wait_ready(cloud=True)
        wait_for(site.balanced, "all to be stored", 20)
        site.cloud_broker.kill()
        before = produced(site)
        send(site, "room", range(5_000, 5_050))
        wait_for(lambda: produced(site) >= before + 100, "its commit")
        site.agent.stop()
        send(site, "room", range(5_050, 5_060))
        site.agent.settings["LINLI_OUTBOX_AGE_MS_MAX"] = "1"
        dies_at(site, "after_drop")
        site.agent.settings["LINLI_OUTBOX_AGE_MS_MAX"] = "0"
        site.agent.start()
        site.cloud_broker.start()
        site.agent.wait_ready(cloud=True)
        ledger = accounted_for(site, "room", list(range(5_060)))
        assert ledger["declared_dropped"] == 100
        reasons = {drop["reason"] for epoch in ledger["epochs"] for drop in epoch["drops"]}
        assert reasons <= {"age_cap"}


@pytest.mark.long
def test_while_a_copied_outbox_begins_a_new_epoch(tmp_path: Path) -> None:
    """Also F31: an older image of the outbox is put back; the agent notices, and dies while it begins anew."""
    with running_site(tmp_path) as site:
        send(site, "epochs", range(50))
        wait_for(lambda: produced(site) == 100 and site.balanced(), "the first messages")
        site.agent.stop()
        image = {path.name: path.read_bytes() for path in (site.agent.folder / "data").iterdir()}
        site.agent.start()
        send(site, "epochs", range(50, 100))
        wait_for(lambda: produced(site) == 200 and site.balanced(), "the next messages")
        site.agent.stop()
        for path in (site.agent.folder / "data").iterdir():
            path.unlink()
        for name, content in image.items():
            (site.agent.folder / "data" / name).write_bytes(content)
        site.cloud_broker.kill()
        site.agent.start()
        send(site, "epochs", range(100, 300))  # under numbers that the cloud has frames of, and past them
        wait_for(lambda: produced(site) == 500, "messages in the copied outbox")
        site.agent.stop()
        site.cloud_broker.start()
        for place in ("epoch_begun", "framed_again"):
            dies_at(site, place)
        site.agent.start()
        site.agent.wait_ready(cloud=True)
        ledger = accounted_for(site, "epochs", list(range(300)))
        assert ledger["declared_dropped"] == 0
        assert len({epoch["epoch"] for epoch in ledger["epochs"]}) == 2


@pytest.mark.long
def test_while_a_damaged_file_is_salvaged(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        site.cloud_broker.kill()
        for turn in range(10):
            send(site, "salvage", range(turn * 30, turn * 30 + 30))
            wait_for(lambda least=60 * (turn + 1): produced(site) >= least, "its commit")  # type: ignore[misc]
        site.agent.stop()
        file = site.agent.folder / "data" / "outbox.sqlite"
        with file.open("r+b") as handle:
            handle.seek(file.stat().st_size // 2 // 4096 * 4096)
            handle.write(b"\x5a" * 8192)
        for place in AT_SALVAGE:
            dies_at(site, place)
        site.agent.start()
        site.cloud_broker.start()
        site.agent.wait_ready(cloud=True)
        accounted_for(site, "salvage", list(range(300)))
        assert list(file.parent.glob("outbox-salvaged*")), "nothing was salvaged: the damage was not met"


@pytest.mark.long
def test_while_a_deleted_file_is_written_anew(tmp_path: Path) -> None:
    """The file is deleted under the agent, which dies when it has written it anew."""
    with running_site(tmp_path) as site:
        site.agent.stop()
        site.cloud_broker.kill()
        site.agent.start(LINLI_CRASH_AT="rescued")
        send(site, "rescue", range(50))
        wait_for(lambda: produced(site) == 100, "its commit")
        (site.agent.folder / "data" / "outbox.sqlite").unlink()
        send(site, "rescue", range(50, 60))
        wait_for(lambda: not site.agent.alive, "the agent to die", 20)
        site.agent.start()
        site.cloud_broker.start()
        site.agent.wait_ready(cloud=True)
        ledger = accounted_for(site, "rescue", list(range(60)))
        assert ledger["declared_dropped"] == 0
