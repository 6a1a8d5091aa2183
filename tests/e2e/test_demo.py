"""What `make run` promises: ready, restarted when killed, gone after Ctrl-C."""

import os
import signal
import stat
import urllib.request
from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.system import RunningSystem, is_alive, running_demo

BOILER = {"zh": "Boiler", "en": "Boiler"}


def get(system: RunningSystem, path: str) -> dict[str, object]:
    return dict(system.ask(path))


def test_two_communities_with_their_devices_are_there(running_system: RunningSystem) -> None:
    assert [item["id"] for item in get(running_system, "communities")["items"]] == ["jiangwan", "liuyuan"]  # type: ignore[attr-defined]
    gateways = get(running_system, "gateways")["items"]
    assert all(gateway["online"] for gateway in gateways)  # type: ignore[attr-defined]
    devices: list[dict[str, object]] = get(running_system, "devices?limit=1000&status=adopted")["items"]  # type: ignore[assignment]
    # charge points come by OCPP; a boiler is what tests of the console adopt, before or after this
    simulated = [
        device for device in devices if not str(device["profile"]).startswith("ocpp/") and device["name"] != BOILER
    ]
    kinds = [device["kind"] for device in simulated]
    assert (kinds.count("parking"), kinds.count("charging"), kinds.count("waste"), kinds.count("building")) == (
        62,
        12,
        10,
        30,
    )
    for community in ("liuyuan", "jiangwan"):
        answer = get(running_system, f"availability?community={community}&kind=parking")
        assert answer["counts"]["total"] >= 24  # type: ignore[index]
    for gateway in running_system.demo["gateways"]:
        assert get(running_system, f"gateways/{gateway}/ledger")["unexplained"] == 0


def test_charge_points_of_both_versions_speak_to_the_first_gateway(running_system: RunningSystem) -> None:
    """Their connectors are devices, and each is a place where somebody may charge; the charge point itself is none."""

    def speaking() -> set[object]:
        devices = get(running_system, "devices?limit=1000&gateway=gw-liuyuan-1")["items"]
        return {device["profile"] for device in devices} & {"ocpp/1.6", "ocpp/2.0.1"}  # type: ignore[attr-defined]

    wait_for(lambda: len(speaking()) == 2, "charge points of both versions", 20)
    site = get(running_system, "gateways/gw-liuyuan-1/charging")
    assert site["set_up"] and [point["password_set"] for point in site["charge_points"]] == [True] * 3  # type: ignore[attr-defined]

    def places() -> list[str]:
        found = get(running_system, "availability?community=liuyuan&kind=charging")["places"]
        return [place["name"]["en"] for place in found if "LY-CP-" in place["name"]["en"]]  # type: ignore[attr-defined]

    wait_for(lambda: len(places()) == 3, "their three connectors", 20)
    assert all(name.endswith("-1") for name in places())


def test_demo_json_is_for_its_owner_only(running_system: RunningSystem) -> None:
    path = running_system.data_dir / "demo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert running_system.demo["url"] == running_system.base_url
    assert running_system.output().count("Linli is ready") == 1


@pytest.mark.parametrize("name", ["cloud-api", "gw-liuyuan-1-agent", "gw-liuyuan-1-broker", "cloud-broker", "devices"])
def test_a_killed_child_is_started_again(running_system: RunningSystem, name: str) -> None:
    before = running_system.demo["pids"][name]
    os.kill(before, signal.SIGKILL)
    after = wait_for(
        lambda: (running_system.demo["pids"].get(name, before) != before) and running_system.demo["pids"][name], name
    )
    assert is_alive(after)

    def well() -> bool:
        try:
            with urllib.request.urlopen(f"{running_system.base_url}/readyz", timeout=5) as answer:
                if answer.status != 200:
                    return False
            return all(gateway["online"] for gateway in get(running_system, "gateways")["items"])  # type: ignore[attr-defined]
        except OSError:
            return False

    wait_for(well, f"the system to be well after {name} was killed", 30)


@pytest.mark.long
def test_ctrl_c_leaves_nothing_and_the_second_start_is_quick(tmp_path: Path) -> None:
    with running_demo(tmp_path / "var") as system:
        pids = list(system.demo["pids"].values())
        assert len(pids) == 11
        assert system.stop(signal.SIGINT) == 0
        assert not any(map(is_alive, pids))
        took_s = system.start()
        print(f"second start: ready after {took_s:.1f} s")
        assert took_s < 10
        second = system.demo["pids"]
        # The supervisor itself is killed: its children must not stay behind.
        os.kill(second["supervisor"], signal.SIGKILL)
        system.process.wait(10)
        wait_for(lambda: not any(map(is_alive, second.values())), "the children to be gone with their supervisor")


def test_a_second_demo_on_the_same_folder_is_refused(running_system: RunningSystem) -> None:
    again = RunningSystem(running_system.data_dir)
    with pytest.raises(AssertionError, match="another demo runs"):
        again.start()
    assert again.process.returncode == 1
