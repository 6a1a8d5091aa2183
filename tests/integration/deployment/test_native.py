"""What the compose file starts, works: brought up as docs/ops/deploy.md says, from a device's message to a command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.status import read_status
from tests.integration.broker_access.client import Client
from tests.integration.deployment.native import NativeCompose
from tests.processes import CloudApi, wait_for

GATEWAY = "gw-estate-1"
CLOUD_ONCE = ("migrate", "broker-access")
CLOUD = ("cloud-broker", "influxdb", "cloud-api", "ingest-1", "ingest-2")
AT_THE_GATEWAY = ("gateway-broker", "edge-agent")

PROFILE = {
    "profile": {"id": "made-up/hoist", "version": 1, "kind": "building", "en": "Hoist", "zh": "升降机"},
    "topics": ["hoist/{device}/up"],
    "identity": {"device": "{device}"},
    "messages": [{"readings": [{"metrics": {"temperature": {"path": "t", "unit": "Cel"}}}]}],
    "examples": [{"topic": "hoist/a/up", "payload": {"t": 20.5}, "expect": {"temperature": 20.5}}],
}


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[NativeCompose]:
    native = NativeCompose(tmp_path)
    try:
        yield native
    finally:
        native.stop()


@pytest.mark.slow
def test_cloud_and_gateway_come_up_and_carry_a_reading_up_and_a_command_down(
    installed: NativeCompose, tmp_path: Path
) -> None:
    services = installed.services
    assert set(services) == {*CLOUD_ONCE, *CLOUD, *AT_THE_GATEWAY}
    installed.start_postgres()
    for name in CLOUD_ONCE:
        services[name].run()
    for name in CLOUD:
        services[name].start()
    api = CloudApi(tmp_path / "unused", 0)  # only to ask the one that runs
    api.settings["LINLI_DATA_DIR"] = services["cloud-api"].environment["LINLI_DATA_DIR"]
    api.url = f"http://127.0.0.1:{installed.ports['8080']}"
    names = {"name": {"zh": "测试", "en": "Test"}}
    assert api.send("PUT", "communities/estate", names)[0] == 200
    # The gateway comes in by a claim, and is let in without anybody touching the broker.
    assert api.send("PUT", f"gateways/{GATEWAY}", {"community_id": "estate", **names})[0] == 200
    status, claim = api.send("POST", "claims", {"gateway_id": GATEWAY})
    assert status == 201, claim
    services["edge-agent"].run_instead("provision", claim["link"], "--out", "/etc/linli")
    for name in AT_THE_GATEWAY:
        services[name].start()
    services["gateway-broker"].hang_up()
    wait_for(lambda: api.get(f"gateways/{GATEWAY}")["online"], "the gateway to be let in", 30)

    installed.add_device("main", "of the valve")
    services["gateway-broker"].hang_up()
    # The broker reads its passwords again when its loop comes round: until then the device is not let in.
    valve = wait_for(lambda: signed_in(int(installed.ports["1884"])), "the device to be let in", pause_s=0.2)
    with valve:
        valve.subscribe("linli-device/valve/main/set")
        say(valve, True)
        found = wait_for(lambda: api.device("main"), "the valve to be seen")
        assert api.send("POST", f"devices/{found['id']}/adopt")[0] == 200
        wait_for(lambda: "valve_open" in api.get(f"devices/{found['id']}/state")["metrics"], "its state")
        choice = {"verb": "close_valve", "args": {}}
        selection = api.send("POST", f"devices/{found['id']}/selections", choice)[1]["id"]
        order = {**choice, "selection": selection}
        status, command = api.send("POST", f"devices/{found['id']}/commands", order, Idempotency_Key="one")
        assert status == 202
        told = wait_for(lambda: valve.heard, "the valve to be told")
        assert json.loads(told[0][1]) == {"valve_open": False}
        say(valve, False)
        wait_for(lambda: api.get(f"commands/{command['id']}")["state"] == "confirmed", "the command to be confirmed")
    assert wait_for(lambda: balanced(api), "the ledger to balance")["unexplained"] == 0

    # What is pushed is signed with the key whose public half the gateway was given.
    assert api.send("POST", "profiles", PROFILE)[0] == 201
    pushed = api.send("POST", "profiles/made-up/hoist/versions/1/push", {"gateways": [GATEWAY]})
    assert pushed == (200, {"gateways": [GATEWAY]})
    data_dir = Path(services["edge-agent"].environment["LINLI_DATA_DIR"])
    wait_for(
        lambda: read_status(data_dir, GATEWAY, 0)["profiles"] == {"travelled": {"made-up/hoist": 1}, "refused": {}},
        "the gateway to take the pushed profile",
    )

    listening = {name: services[name].listens_at() for name in (*CLOUD, *AT_THE_GATEWAY)}
    port = {name: int(number) for name, number in installed.ports.items()}
    assert {number for _, number in listening["cloud-broker"]} == {port["8883"], port["8884"]}
    assert {number for _, number in listening["cloud-api"]} == {port["8080"]}
    assert {number for _, number in listening["influxdb"]} == {port["8086"], port["8088"]}
    assert {number for _, number in listening["gateway-broker"]} == {port["1883"], port["1884"]}
    assert {address for address, _ in listening["edge-agent"]} == {"127.0.0.1"}, "the agent's door is for loopback"

    for name in reversed((*CLOUD, *AT_THE_GATEWAY)):
        services[name].stop()
        assert not services[name].healthy(), f"{name} is stopped, and its health check does not notice"


def signed_in(port: int) -> Client | None:
    try:
        return Client(port, None, "main", password="of the valve", patience_s=1)
    except AssertionError:
        return None


def say(valve: Client, is_open: bool) -> None:
    valve.publish("linli-device/valve/main/state", json.dumps({"valve_open": is_open, "water_flow": 0.1}))


def balanced(api: CloudApi) -> dict[str, Any] | None:
    ledger = api.ledger(GATEWAY)
    return ledger if ledger["balanced"] and ledger["buffered"] == 0 and ledger["stored"] > 0 else None
