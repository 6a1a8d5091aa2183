"""The agent's wall clock in 1970, half an hour ahead, set back while it runs; and impossible times in payloads."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from contracts.frame import decode_frame
from contracts.messages import ClockHealed
from contracts.profile import Time
from edge_agent.clock import FLOOR_MS
from edge_agent.profiles.errors import Undecodable
from edge_agent.profiles.times import compile_time
from tests.devices import ForeignClient, reading
from tests.faults.test_commands import Valve, order, reached, valve_id
from tests.faults.test_links import counter, gauge
from tests.processes import Site, Stores, running_site, wait_for

TOPIC = "linli-device/reading/clock"
NOW_MS = 1_795_583_786_000


def wall_clock(offset: Path) -> list[str]:
    """What starts a program whose wall clock is off by what the file says, read anew each time; others are true."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return [
        "env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={offset}", "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]  # fmt: skip


def set_wall_clock(offset: Path, text: str) -> None:
    """In one step: the agent may read it at any moment."""
    new = offset.with_suffix(".new")
    new.write_text(text)
    new.replace(offset)


def forget_time(site: Site) -> None:
    """Nothing is known of the time when the agent starts, as in a boot of another machine."""
    (Path(site.agent.settings["LINLI_DATA_DIR"]) / "clock.json").unlink()


def publish(site: Site, first: int, count: int) -> dict[int, range]:
    """Readings one by one; returns for each number the true times, ms, between which the agent has taken it."""
    before = counter(site, "messages")
    sent_ms = {}
    with ForeignClient(site.local_broker.port) as client:
        for number in range(first, first + count):
            sent_ms[number] = time.time_ns() // 1_000_000
            client.publish(TOPIC, reading(number))
    wait_for(lambda: counter(site, "messages") >= before + count, "the agent to take them")  # its broker had them first
    taken_ms = time.time_ns() // 1_000_000
    return {number: range(sent_ms[number], taken_ms + 1) for number in sent_ms}


def healed(site: Site) -> list[tuple[int, int]]:
    """The shift and the bound of its error, ms, of each frame whose times were moved, as the cloud has stored it."""
    with closing(sqlite3.connect(site.cloud.folder / "data" / "framelog.sqlite")) as stored:
        rows = stored.execute("SELECT payload FROM frames ORDER BY position").fetchall()
    records = [record for (payload,) in rows for record in decode_frame(payload).records]
    return [(record.shift_ms, record.error_ms) for record in records if isinstance(record, ClockHealed)]


def assert_times_true(site: Site, true_ms: dict[int, range]) -> None:
    device = wait_for(lambda: site.cloud.device("clock"), "the device")
    wait_for(lambda: len(site.cloud.samples(device["id"], "message_count")) >= len(true_ms), "telemetry", 20, 0.2)
    ledger = wait_for(site.balanced, "the ledger to balance", 20)
    points = site.cloud.samples(device["id"], "message_count")
    stored = {int(point["value"]): point["t_ms"] for point in points}
    assert len(points) == len(stored) and stored.keys() == true_ms.keys()
    worst_ms = max(max(span.start - stored[n], stored[n] - span.stop, 0) for n, span in true_ms.items())
    print(f"times are at most {worst_ms} ms off")
    assert worst_ms < 1_000
    assert [int(point["value"]) for point in sorted(points, key=lambda point: point["t_ms"])] == sorted(true_ms)
    assert ledger["unexplained"] == ledger["declared_dropped"] == 0


def test_boot_in_1970(tmp_path: Path) -> None:
    """F26, over TLS: certificates are from years after what the machine's clock says."""
    offset = tmp_path / "offset"
    set_wall_clock(offset, "-56y")
    with running_site(tmp_path, stores=Stores(dict)) as site:
        site.agent.stop()
        site.cloud_broker.kill()
        forget_time(site)
        site.agent.prefix = wall_clock(offset)
        began_ms = time.time_ns() // 1_000_000
        site.agent.start()
        site.agent.wait_ready()
        ready_ms = time.time_ns() // 1_000_000
        assert "libfaketime" in Path(f"/proc/{site.agent.process.pid}/maps").read_text()
        true_ms = publish(site, 0, 20)
        wait_for(lambda: gauge(site, "buffered_samples") >= 20, "them to be buffered before the cloud's word")
        site.cloud_broker.start()
        site.agent.wait_ready(cloud=True)
        true_ms |= publish(site, 20, 20)
        assert_times_true(site, true_ms)
        found = healed(site)
        assert found, "nothing was healed: the clock was not wrong"
        for shift_ms, error_ms in found:  # it began at the floor, the earliest time that can be
            assert 0 < error_ms < 1_000
            assert began_ms - error_ms <= shift_ms + FLOOR_MS <= ready_ms + error_ms


def test_half_an_hour_ahead_and_set_back_while_it_runs(tmp_path: Path) -> None:
    """F27."""
    offset = tmp_path / "offset"
    set_wall_clock(offset, "+30m")
    with running_site(tmp_path) as site:
        site.agent.stop()
        forget_time(site)
        site.agent.prefix = wall_clock(offset)
        site.agent.start()
        site.agent.wait_ready(cloud=True)
        true_ms = publish(site, 0, 20)
        with Valve(site.local_broker.port) as valve:
            device = valve_id(site)
            reached(site, order(site, device, "close_valve", "ahead"), "confirmed")
            set_wall_clock(offset, "-30m")
            true_ms |= publish(site, 20, 20)
            reached(site, order(site, device, "open_valve", "behind"), "confirmed")
            assert valve.acts == [False, True]
        assert_times_true(site, true_ms)
        written = [json.loads(line)["at"] for line in site.agent.log().splitlines() if line.startswith("{")]
        stamps = [datetime.fromisoformat(at).timestamp() for at in written]
        assert any(later - earlier < -3_500 for earlier, later in pairwise(stamps)), "its wall clock was not set back"


def test_stamps_that_cannot_be_do_not_stop_a_site(tmp_path: Path) -> None:
    """F29 in a whole site: what can be is stored at its own time, the rest is in quarantine with its reason."""
    leap_day_ms, last_second_ms = 1_709_164_800_000, 1_774_749_599_000  # before the hour that Europe leaves out
    refused = ["253402300799000", "2147483648000", "1e400", "-1", '"31 Feb"', "[]", "1e308"]
    with running_site(tmp_path) as site, ForeignClient(site.local_broker.port) as client:
        stamps = [str(leap_day_ms), *refused, str(last_second_ms), str(last_second_ms + 1_000)]
        for number, stamp in enumerate(stamps):
            client.publish(TOPIC, f'{{"observed_at_ms": {stamp}, "samples": {{"message_count": {number}}}}}'.encode())
        device = wait_for(lambda: site.cloud.device("clock"), "the device")
        points = wait_for(
            lambda: len(found := site.cloud.samples(device["id"], "message_count")) == 3 and found, "what can be", 20
        )
        assert [point["t_ms"] for point in points] == [leap_day_ms, last_second_ms, last_second_ms + 1_000]
        wait_for(
            lambda: (
                {"time_invalid", "time_implausible"} <= {x["reason"] for x in site.cloud.get("quarantine")["items"]}
            ),
            "the rest to be in quarantine",
        )
        wait_for(site.balanced, "the ledger to balance", 20)
        assert '"level":"error"' not in site.agent.log() and "Traceback" not in site.agent.log()


@pytest.mark.parametrize("form", ["rfc3339", "%Y-%m-%d %H:%M:%S", "unix_s", "unix_ms"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(
    "stamp",
    [
        "2026-03-29 02:30:00", "2026-10-25 02:30:00", "2024-02-29 00:00:00", "2025-02-29 00:00:00",
        "2038-01-19 03:14:08", "9999-12-31 23:59:59", "0001-01-01 00:00:00", "2026-06-30 23:59:60",
        "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "", "nonsense", "NaN", "Infinity", "-1",
        0, -1, 2**31, 2**32, 2**63, 10**400, 1e308, float("nan"), float("inf"), True, [], {}, [1],
        253_402_300_800, 253_402_300_800_000, 1_772_000_000, 1_772_000_000_000,
    ],
)  # fmt: skip
def test_a_stamp_is_taken_or_refused_with_a_reason(form: str, zone: str, stamp: object) -> None:
    """F29: never another exception."""
    read = compile_time(Time(path="t", format=form, zone=zone), "test")
    try:
        taken = read({"t": stamp}, {}, NOW_MS)
    except Undecodable as refused:
        assert refused.reason in ("time_invalid", "time_implausible")
    else:
        assert taken is None or 1_262_304_000_000 <= taken <= NOW_MS + 86_400_000
