"""`edge-agent doctor`: each failure with a real cause, and what it tells an installer to do."""

import contextlib
import json
import shutil
import socket
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.clock import FLOOR_MS, Kept
from edge_agent.doctor.finding import EXIT_CODES, Finding
from edge_agent.doctor.gateway import (
    bytes_an_hour,
    check_agent,
    check_clock,
    check_folder,
    check_outbox,
    check_profiles,
    check_room,
)  # fmt: skip
from edge_agent.doctor.network import check_broker
from edge_agent.outbox import Batch, Outbox
from edge_agent.outbox.room import Disk, Limits
from edge_agent.uplink.tls import client_context
from tests.brokers import free_port, wait_until_listening
from tests.certificates import Authority
from tests.processes import BIN
from tests.property.edge.test_outbox import reading

NOW_MS = 1_790_000_000_000
MB = 1_000_000


@contextlib.contextmanager
def mosquitto(folder: Path, *lines: str) -> Iterator[int]:
    """A broker of these lines; gives its port."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    config = folder / "mosquitto.conf"
    config.write_text("\n".join([f"listener {port} 127.0.0.1", "user root", *lines, ""]))
    process = subprocess.Popen(
        [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", config],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until_listening(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def last(findings: list[Finding]) -> tuple[str, str, str]:
    return findings[-1].check, findings[-1].verdict, f"{findings[-1].text} -> {findings[-1].then}"


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    assert check_folder(tmp_path / "not" / "there" / "yet").verdict == "ok"
    (tmp_path / "file").write_text("")
    found = check_folder(tmp_path / "file" / "data")
    assert (found.verdict, found.then != "") == ("fail", True)
    assert not list(tmp_path.glob(".doctor-*")), "it leaves nothing behind"


def test_room_is_told_in_hours(tmp_path: Path) -> None:
    limits = Limits(100 * MB, 0, 64 * MB)
    assert "in 100 hours" in check_room(Disk(10_000 * MB, 5_000 * MB), limits, 0, MB).text
    assert check_room(Disk(10_000 * MB, 5_000 * MB), limits, 90 * MB, MB).verdict == "warn"
    assert check_room(Disk(10_000 * MB, 74 * MB), limits, 0, MB).verdict == "warn"
    assert check_room(Disk(10_000 * MB, 10 * MB), limits, 0, MB).verdict == "fail"
    times = iter(range(NOW_MS, NOW_MS + 10**9, 60_000))
    outbox = Outbox(tmp_path / "outbox.sqlite", "gw-1", 1 << 30, lambda: next(times))
    for number in range(61):
        outbox.commit(Batch(readings=[reading(number)], messages=1))
    assert bytes_an_hour(tmp_path / "outbox.sqlite") == pytest.approx(outbox.held_bytes, rel=0.05)
    outbox.close()


def test_the_outbox_file(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    assert check_outbox(path).verdict == "ok"
    Outbox(path, "gw-1", 1 << 30, lambda: NOW_MS).close()
    assert check_outbox(path).verdict == "ok"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    assert "install the newer agent" in check_outbox(path).then
    path.write_bytes(path.read_bytes()[:4096] + b"\x5a" * 20_000)
    assert "is damaged" in check_outbox(path).text


def test_the_clock() -> None:
    kept = Kept("boot", 1, NOW_MS, 5, NOW_MS)
    assert check_clock(NOW_MS + 1_000, 1_000, "boot", kept).verdict == "ok"
    assert "+120 s off" in check_clock(NOW_MS + 121_000, 1_000, "boot", kept).text
    assert check_clock(10_000, 10_000, "other", None).verdict == "warn"
    assert check_clock(FLOOR_MS + 10_000, 10_000, "other", None).verdict == "ok"


def test_profiles(tmp_path: Path) -> None:
    assert check_profiles("").verdict == "ok"
    (tmp_path / "own.json").write_text("{")
    assert check_profiles(str(tmp_path / "own.json")).verdict == "fail"


def test_the_agent() -> None:
    well = {"gauges": {"buffered_samples": 7}, "ready": {"outbox": True}, "cloud": {"not_fenced": True}}
    assert [each.verdict for each in check_agent(well)] == ["ok"]
    assert check_agent(None)[0].verdict == "warn"
    ill = {**well, "ready": {"outbox": False}, "cloud": {"not_fenced": False}, "parts": {"outbox": "disk is full"}}
    assert [(each.check, each.verdict) for each in check_agent(ill)][1:] == [("outbox", "fail"), ("identity", "fail")]


def test_name_and_port() -> None:
    check, verdict, text = last(check_broker("cloud", "nowhere.invalid", 1883, "gw-1", "", ""))
    assert (check, verdict) == ("cloud name", "fail") and "DNS" in text
    check, verdict, text = last(check_broker("cloud", "localhost", free_port(), "gw-1", "", ""))
    assert (check, verdict) == ("cloud port", "fail") and "nothing listens" in text


def test_a_broker_that_answers_or_refuses(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "open", "allow_anonymous true") as port:
        assert last(check_broker("cloud", "127.0.0.1", port, "gw-1", "", ""))[:2] == ("cloud MQTT", "ok")
        plain = check_broker("cloud", "127.0.0.1", port, "gw-1", "", "", ssl.create_default_context)
        check, verdict, text = last(plain)
        assert (check, verdict) == ("cloud TLS", "fail"), text
    with mosquitto(tmp_path / "closed", "allow_anonymous false") as port:
        check, verdict, text = last(check_broker("cloud", "127.0.0.1", port, "gw-1", "", ""))
        assert (check, verdict) == ("cloud MQTT", "fail") and "access list" in text


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        ("", "CONNECT is accepted"), ("unknown_ca", "does not hold the CA"), ("expired", "renew the broker's"),
        ("not_yet", "clock is in the past"), ("name", "is for another name"), ("no_file", "can't be read"),
    ],
)  # fmt: skip
def test_tls(tmp_path: Path, trouble: str, word: str) -> None:
    ca = Authority(tmp_path, "ca")
    begin, days = {"expired": (-30, 29), "not_yet": (1, 29)}.get(trouble, (-1, 31))
    host = "elsewhere.example" if trouble == "name" else "localhost"
    served = ca.issue("broker", valid_from_days=begin, valid_days=days, hosts=(host,))
    trusted = Authority(tmp_path / "other", "ca").file if trouble == "unknown_ca" else ca.file
    if trouble == "no_file":
        trusted = tmp_path / "missing.pem"
    lines = f"cafile {ca.file}", f"certfile {served.cert}", f"keyfile {served.key}", "allow_anonymous true"
    with mosquitto(tmp_path / "broker", *lines) as port:
        tls = lambda: client_context(str(trusted), "", "", dates_count=True)  # noqa: E731
        check, verdict, text = last(check_broker("cloud", "localhost", port, "gw-1", "", "", tls))
    assert word in text, (check, verdict, text)
    assert verdict == ("fail" if trouble else "ok")


def test_the_command(tmp_path: Path) -> None:
    """Over a whole site without an agent: an exit code that says what fails, 0 when nothing does."""
    with mosquitto(tmp_path / "broker", "allow_anonymous true") as port, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        settings = {
            "PATH": "/usr/bin", "LINLI_GATEWAY_ID": "gw-1", "LINLI_DATA_DIR": str(tmp_path / "data"),
            "LINLI_LOCAL_MQTT_PORT": str(port), "LINLI_CLOUD_MQTT_PORT": str(closed.getsockname()[1]),
        }  # fmt: skip
        command = [BIN / "edge-agent", "doctor", "--json"]
        found = subprocess.run(command, env=settings, capture_output=True, text=True)
        assert found.returncode == EXIT_CODES["port"]
        failed = [each["check"] for each in json.loads(found.stdout) if each["verdict"] == "fail"]
        assert failed == ["cloud port"]
        settings["LINLI_CLOUD_MQTT_PORT"] = str(port)
        found = subprocess.run(command[:-1], env=settings, capture_output=True, text=True)
        assert found.returncode == 0, found.stdout
        assert "warn  agent: is not running\n      -> start it" in found.stdout
        settings["LINLI_HEARTBEAT_S"] = "never"
        found = subprocess.run(command, env=settings, capture_output=True, text=True)
        assert found.returncode == 1 and "LINLI_HEARTBEAT_S" in json.loads(found.stdout)[0]["text"]
