"""A day of fifty charge points of both versions, in scaled time, with everything that goes wrong on one: cut links, lost
answers, restarts, clocks in 1970, forgotten limits, registers that begin again, an agent that is killed, a cloud that is away.

What is in the cloud equals the simulated truth: every session once, its energy to the watt-hour. And at no simulated moment
do all chargers together draw more than the site's fuse carries, counted from what each really draws.
"""

import json
import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.brokers import free_port, wait_until_listening
from tests.faults import LONG
from tests.processes import BIN, Site, running_site, wait_for

SEED = 20_261_125
POINTS = 50
AMPS_MAX = 16.0
FUSES_A = (350.0, 200.0) if LONG else (350.0,)
"""350 A carry the fail-safe of 6 A of all fifty at once; with 200 A one that has lost its link has to pause."""
HOURS, SPEED, KILLS = (24, 600, 30) if LONG else (24, 5_400, 3)
CLOCK_MS = 3_000  # what an answer that says the time may take on a loaded machine
PASSWORD = "a-password-of-ours"
TROUBLES = "cuts=3,lost_answers=4,reboots=1,clocks=0.5,forgets=1,resets=1,away_s=2"


class Truth(NamedTuple):
    """Of one session: which charge point, its energy, its times, ms."""

    charge_point: str
    energy_wh: int
    begin_ms: int
    end_ms: int


def set_up(site: Site, fuse_a: float) -> None:
    names = [f"SIM-{number:03d}" for number in range(1, POINTS + 1)]
    points: list[dict[str, Any]] = [{"charge_point": name, "current_max_a": AMPS_MAX} for name in names]
    for point in points[:4]:
        point["password"] = PASSWORD
    for point in points[4:]:
        point["password"] = ""  # none
    tokens = [{"name": f"flat {name}", "id_tag": f"CARD-{name}-1"} for name in names]
    body = {"fuse_a": fuse_a, "fail_safe_a": 6, "charge_points": points, "tokens": tokens}
    status, answer = site.cloud.send("PUT", f"gateways/{site.gateway}/charging", body)
    assert status == 200, answer
    version = site.cloud.get(f"gateways/{site.gateway}")["desired_version"]
    wait_for(
        lambda: site.cloud.get(f"gateways/{site.gateway}")["reported_version"] == version, "the agent to know its site"
    )


def simulate(folder: Path, port: int) -> subprocess.Popen[bytes]:
    passwords = folder / "passwords"
    passwords.write_text("".join(f"SIM-00{number} {PASSWORD}\n" for number in range(1, 5)))
    with (folder / "simulate.log").open("wb") as log:
        return subprocess.Popen(
            [
                str(BIN / "simulate"), "ocpp", "--url", f"ws://127.0.0.1:{port}", "--charge-points", str(POINTS),
                "--seed", str(SEED), "--speed", str(SPEED), "--hours", str(HOURS), "--amps-max", str(AMPS_MAX),
                "--troubles", TROUBLES, "--await-limits", "--password-file", str(passwords), "--out", str(folder / "truth.jsonl"),
                "--json",
            ],
            stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip


def transactions(site: Site) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = site.cloud.get("charging-transactions", community="test", limit=1000, cursor=cursor)
        items += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return items


def ended(found: list[dict[str, Any]]) -> int:
    return sum(one["end_ms"] is not None for one in found)


def assert_times(found: list[dict[str, Any]], truth: list[Truth]) -> None:
    """Where a charge point's clock can be right, its times are the true ones."""
    sure = [one for one in found if not one["time_unsure"]]
    assert len(sure) > 0.8 * len(found)
    for one in sure:
        assert any(
            (one["charge_point"], one["energy_wh"]) == (true.charge_point, true.energy_wh)
            and abs(one["begin_ms"] - true.begin_ms) < CLOCK_MS
            and abs(one["end_ms"] - true.end_ms) < CLOCK_MS
            for true in truth
        ), one


@pytest.mark.parametrize("fuse_a", FUSES_A)
@pytest.mark.long
def test_a_day_of_fifty_charge_points(tmp_path: Path, fuse_a: float) -> None:
    chance, port = random.Random(SEED), free_port()
    settings = {"LINLI_OCPP_HOST": "127.0.0.1", "LINLI_OCPP_PORT": str(port), "LINLI_OCPP_LEASE_S": "5"}
    with running_site(tmp_path, **settings) as site:
        set_up(site, fuse_a)
        wait_until_listening(port)
        simulation = simulate(tmp_path, port)
        try:
            day_s = HOURS * 3_600 / SPEED
            for kill in range(KILLS):
                time.sleep(day_s / (KILLS + 1) * chance.uniform(0.5, 1))  # the random moment is the fault
                if kill == KILLS // 2:
                    site.cloud.kill()
                site.agent.kill()
                site.agent.start()
            assert simulation.poll() is None, "the day was over before all had gone wrong"
            site.cloud.start()
            out, _ = simulation.communicate(timeout=day_s + 60)
        finally:
            simulation.kill()
            simulation.wait()
        print((tmp_path / "simulate.log").read_text()[-3000:])
        report = json.loads(out)
        events = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
        truth = [
            Truth(one["charge_point"], one["energy_wh"], one["begin_ms"], one["end_ms"])
            for one in events
            if one["event"] == "session"
        ]
        print(report)
        site.cloud.wait_ready()
        wait_for(site.balanced, "the ledger to balance", 30)
        wait_for(lambda: ended(transactions(site)) >= len(truth), "the transactions", 20, 0.3)
        found = transactions(site)

        assert report["untold"] == report["refused"] == 0
        assert all(times > 0 for times in report["troubles"].values()), "not all of it went wrong"
        assert all(one["end_ms"] for one in found), "a session was never ended"
        told = Counter((one["charge_point"], round(one["energy_wh"])) for one in found)
        was = Counter((one.charge_point, one.energy_wh) for one in truth)
        assert told == was, f"only told: {told - was}; only true: {was - told}"
        assert sum(one["energy_wh"] for one in found) == sum(one.energy_wh for one in truth) == report["energy_wh"]
        assert_times(found, truth)
        assert report["busy_peak"] * AMPS_MAX > 1.2 * fuse_a, "the fuse was never in danger"
        assert report["energy_wh"] > 500_000 and report["peak_a"] > fuse_a / 2, "they hardly charged"
        assert report["peak_a"] <= fuse_a + 1e-6, "the site's fuse has blown"
