"""The gateway's disk: full, failing, damaged under the running agent. Nothing is acknowledged that is not there."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devices import ForeignClient, reading
from tests.faults import LONG
from tests.faults.ledger import accounted_for
from tests.faults.test_kills import Load, assert_stored_once
from tests.processes import EdgeAgent, Site, running_site, wait_for


@contextlib.contextmanager
def small_disk(folder: Path, size_kib: int) -> Iterator[Path]:
    """A file system of its own, in memory. It needs the right to mount; without it the test fails, it does not pass."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def injected(agent: EdgeAgent, what: str, log: Path) -> Iterator[None]:
    """System calls of the running agent fail as ``what`` says (see strace's inject); proves that some did."""
    calls = what.partition(":")[0]
    command = ["strace", "-f", "-q", "-o", str(log), "-e", f"trace={calls}", "-e", f"inject={what}"]
    tracer = subprocess.Popen([*command, "-p", str(agent.process.pid)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: log.exists() and "INJECTED" in log.read_text(), "a call to fail", 20)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)


def stopped(agent: EdgeAgent) -> bool:
    """Whether all of its threads stand still."""
    states = Path(f"/proc/{agent.process.pid}/task").glob("*/stat")
    return all(state.read_text().rpartition(")")[2].split()[0] == "T" for state in states)


def free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def test_the_disk_is_full(tmp_path: Path) -> None:
    """F20: a disk of 4 MiB, the cloud away. Whole frames are dropped and declared; then all drains."""
    with small_disk(tmp_path / "disk", 4096) as disk, running_site(tmp_path, data_dir=disk / "edge") as site:
        site.cloud_broker.kill()
        (disk / "other").write_bytes(b"x" * 2_300_000)  # what else is on it; the outbox fills the rest
        with ForeignClient(site.local_broker.port) as client:
            chance = random.Random(7)
            sent = 0

            def pressed() -> bool:
                nonlocal sent
                for _ in range(500):
                    payload = reading(sent, firmware_version=chance.randbytes(60).hex())
                    client.send(f"linli-device/reading/full-{sent % 16}", payload, sent)
                    sent += 1
                wait_for(lambda: len(client.acked) > sent - 1_000, "the agent to go on taking messages", 30)
                status = site.agent.status()
                return bool(status and status["gauges"]["dropped_samples"] > 2_000)

            wait_for(pressed, "frames to be dropped", 40)
            assert free_bytes(disk) > 0
            wait_for(lambda: len(client.acked) == sent, "every message to be taken", 30)
        site.cloud_broker.start()
        ledger = wait_for(site.balanced, "the ledger to balance", 40)
        assert ledger["unexplained"] == 0
        assert ledger["produced"] == 2 * sent == ledger["stored"] + ledger["declared_dropped"]

        def reasons() -> set[str]:
            return {drop["reason"] for epoch in site.cloud.ledger(site.gateway)["epochs"] for drop in epoch["drops"]}

        wait_for(reasons, "the drops' records", 20)
        assert reasons() == {"disk_floor"}


@pytest.mark.long
def test_somebody_else_fills_the_disk(tmp_path: Path) -> None:
    """F20: not even a page is left. The agent stays up, takes what it can, and goes on by itself when there is room."""
    with small_disk(tmp_path / "disk", 4096) as disk, running_site(tmp_path, data_dir=disk / "edge") as site:
        load = Load(site.local_broker.port, "squeezed")
        wait_for(lambda: load.sent > 200, "some load")
        hog = disk / "hog"
        with hog.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        assert free_bytes(disk) == 0
        begun = load.sent
        wait_for(lambda: load.sent > begun + 600, "load against the full disk", 20)
        assert site.agent.alive
        hog.unlink()
        acked = load.stop()
        accounted_for(site, "squeezed", acked)


@pytest.mark.long
def test_fsync_fails(tmp_path: Path) -> None:
    """F22: EIO from fsync. Nothing is acknowledged meanwhile, readiness says it, the agent does not crash, and heals."""
    with running_site(tmp_path) as site:
        pid = site.agent.process.pid
        load = Load(site.local_broker.port, "eio")

        def outbox_ready() -> bool | None:
            status = site.agent.status()
            return status and status["ready"]["outbox"]

        def produced() -> int:
            return sum(lane["produced"] for lane in (site.agent.status() or {})["lanes"])

        with injected(site.agent, "fsync,fdatasync:error=EIO", tmp_path / "strace"):
            wait_for(lambda: outbox_ready() is False, "readiness to say it", 20)
            before, begun = produced(), load.sent
            wait_for(lambda: load.sent > begun + 100, "load against the failing disk")
            assert produced() == before, "something counts as committed though fsync failed"
        assert site.agent.process.pid == pid and site.agent.alive
        wait_for(outbox_ready, "the outbox to heal", 20)
        assert_stored_once(site, "eio", load.stop())


@pytest.mark.parametrize("nth", [1, 2, 3, 5, 8, 13, 40, 100] if not LONG else range(1, 201))
def test_no_space_on_the_nth_write(tmp_path: Path, nth: int, enospc_site: Site) -> None:
    """F23: from the nth write on, ten writes fail with ENOSPC. What was taken is there once; the rest waited."""
    site = enospc_site
    device = f"enospc-{nth}"
    load = Load(site.local_broker.port, device)
    with injected(site.agent, f"pwrite64:error=ENOSPC:when={nth}..{nth + 9}", tmp_path / "strace"):
        pass
    wait_for(lambda: load.sent > 150, "some load")
    stored_once(site, device, load.stop())


def stored_once(site: Site, device: str, acked: list[int]) -> None:
    wait_for(lambda: site.cloud.device(device), "the device", 20)
    found = site.cloud.device(device)
    assert found is not None
    wait_for(lambda: len(site.cloud.samples(found["id"], "message_count")) >= len(set(acked)), "telemetry", 30, 0.1)
    stored = [point["value"] for point in site.cloud.samples(found["id"], "message_count")]
    assert sorted(stored) == sorted(set(acked))
    ledger = wait_for(site.balanced, "the ledger to balance", 30)
    assert ledger["unexplained"] == 0 == ledger["declared_dropped"]


@pytest.fixture(scope="module")
def enospc_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("enospc")) as site:
        yield site


@pytest.mark.parametrize("damage", ["deleted", "zeroed", "cut"] if LONG else ["zeroed"])
def test_the_file_is_damaged_under_the_agent(tmp_path: Path, damage: str) -> None:
    """F24: deleted, cut short or zeroed while the agent runs and the cloud is away. Stored once, or declared."""
    with running_site(tmp_path) as site:
        load = Load(site.local_broker.port, damage)
        wait_for(lambda: load.sent > 200, "some load")
        site.cloud_broker.kill()
        begun = load.sent
        wait_for(lambda: load.sent > begun + 400, "some backlog")
        file = site.agent.folder / "data" / "outbox.sqlite"
        if damage == "deleted":
            file.unlink()
        else:
            with contextlib.closing(sqlite3.connect(file, timeout=10)) as other:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # else the log still has what the file loses
            with file.open("r+b") as handle:
                if damage == "cut":
                    handle.truncate(file.stat().st_size // 2)
                else:
                    handle.seek(4096)
                    handle.write(b"\0" * (file.stat().st_size - 4096))
        begun = load.sent
        wait_for(lambda: load.sent > begun + 300, "load over the damage", 20)
        site.agent.kill()  # what it has in memory hides the damage for a while; not from a start
        site.agent.start()
        site.cloud_broker.start()
        acked = load.stop()
        if damage == "deleted":
            assert_stored_once(site, damage, acked)
        else:
            ledger = accounted_for(site, damage, acked)
            assert "outbox is damaged" in site.agent.log(), "the damage was not met"
            assert len({epoch["epoch"] for epoch in ledger["epochs"]}) == 2


@pytest.mark.long
def test_power_cut(tmp_path: Path) -> None:
    """F25: the files as they are at a moment after a commit, the write-ahead log torn: what was committed is there."""
    from contracts.frame import decode_frame
    from edge_agent.outbox.salvage import open_outbox

    chance = random.Random(25)
    with running_site(tmp_path) as site:
        site.cloud_broker.kill()
        load = Load(site.local_broker.port, "cut")
        for turn in range(20 if not LONG else 200):
            wait_for(lambda at=load.sent + 20: load.sent > at, "some load")  # type: ignore[misc]
            status = site.agent.status()
            assert status is not None
            taken = set(range(sum(lane["produced"] for lane in status["lanes"]) // 2))  # two samples a message
            copy = tmp_path / f"copy-{turn}"
            copy.mkdir()
            os.kill(site.agent.process.pid, signal.SIGSTOP)  # the moment of the cut
            wait_for(lambda: stopped(site.agent), "the stop")
            try:
                for name in ("outbox.sqlite", "outbox.sqlite-wal"):
                    (copy / name).write_bytes((site.agent.folder / "data" / name).read_bytes())
            finally:
                os.kill(site.agent.process.pid, signal.SIGCONT)
            wal = copy / "outbox.sqlite-wal"
            torn = b"\x5a" * chance.randrange(1, 9_000)  # what was being written when the power went
            wal.write_bytes(wal.read_bytes() + torn)
            outbox = open_outbox(copy / "outbox.sqlite", site.gateway, 1 << 30, lambda: 1_790_000_000_000)
            held = {
                sample.value
                for lane in outbox.lanes.values()
                for seq in range(1, lane.last_seq + 1)
                for each in decode_frame(outbox.read(lane.lane, seq) or b"").readings
                for sample in each.samples
                if sample.metric == "message_count"
            }
            outbox.close()
            assert taken <= held, f"lost after a power cut: {sorted(taken - held)[:10]}"
        site.cloud_broker.start()
        assert_stored_once(site, "cut", load.stop())
