"""Devices of the registry at the local broker: each signs in, and speaks where its profile or its adoption says."""

import subprocess
from pathlib import Path

import msgspec

from contracts.messages import DesiredDevice, DesiredState
from edge_agent.outbox import Batch, Outbox
from edge_agent.site_access import write_site_access
from tests.brokers import running_broker
from tests.integration.broker_access.client import Client, connack
from tests.processes import wait_for

DEVICES = [
    DesiredDevice(device="meter-1", profile="tasmota/energy"),
    DesiredDevice(device="meter-10", profile="tasmota/energy"),
    DesiredDevice(device="valve-1", profile="linli/valve"),
    DesiredDevice(device="adopted", profile="linli/reading", topics=["hall/three/temperature"]),
    DesiredDevice(device="legacy", profile="tasmota/energy"),
]
WITH_PASSWORD = ("meter-1", "meter-10", "valve-1", "adopted", "agent", "unknown")
MAY_WRITE = {
    "meter-1": "tele/meter-1/SENSOR", "meter-10": "tele/meter-10/SENSOR",
    "valve-1": "linli-device/valve/valve-1/state", "adopted": "hall/three/temperature",
    "legacy": "tele/legacy/SENSOR",
}  # fmt: skip


def prepared(folder: Path, is_open: bool) -> None:
    """Passwords, an outbox with the desired state in use, and what is made of them."""
    (folder / "access").mkdir(parents=True)
    passwords = folder / "access" / "passwords"
    passwords.touch()
    for name in WITH_PASSWORD:
        subprocess.run(["mosquitto_passwd", "-b", passwords, name, name], check=True, capture_output=True)
    outbox = Outbox(folder / "outbox.sqlite", "gw-1", 1 << 30, lambda: 1)
    document = msgspec.msgpack.encode(DesiredState(version=1, devices=DEVICES))
    outbox.commit(Batch(documents={"desired": document}))
    outbox.close()
    assert write_site_access(folder / "access", folder, "", is_open) == ["adopted", "meter-1", "meter-10", "valve-1"]


def test_no_device_speaks_for_another(tmp_path: Path) -> None:
    """Every device with a password writes every device's topic: what arrives is its own."""
    prepared(tmp_path, is_open=False)
    with running_broker("mosquitto-gateway", tmp_path) as broker:
        clients = {name: Client(broker.site_port, None, name, password=name) for name in WITH_PASSWORD}
        clients["agent"].subscribe("#")
        clients["valve-1"].subscribe("#", "linli-device/valve/valve-1/set")
        clients["meter-1"].subscribe("#")
        for name, client in clients.items():
            for topic in MAY_WRITE.values() if name != "agent" else ():
                client.publish(topic, name)
        clients["agent"].publish("linli-device/valve/valve-1/set", "end")
        wait_for(lambda: ("linli-device/valve/valve-1/set", "end") in clients["agent"].heard, "all of it")
        heard = {each for each in clients["agent"].heard if each[1] != "end"}
        assert heard == {(topic, name) for name, topic in MAY_WRITE.items() if name in WITH_PASSWORD}
        wait_for(lambda: clients["valve-1"].heard, "the valve to be told")
        assert clients["valve-1"].heard == [("linli-device/valve/valve-1/set", "end")]
        assert clients["meter-1"].heard == []
        assert connack(broker.site_port, None, "legacy") == 5, "who has no password is not let in"
        for client in clients.values():
            client.close()


def test_an_open_bus_lets_legacy_devices_in_and_not_as_another(tmp_path: Path) -> None:
    prepared(tmp_path, is_open=True)
    with running_broker("mosquitto-gateway", tmp_path, site_open=True) as broker:
        agent = Client(broker.site_port, None, "agent", password="agent")
        legacy = Client(broker.site_port, None, "legacy")
        with agent, legacy:
            agent.subscribe("#")
            for topic in (*MAY_WRITE.values(), "anything/else"):
                legacy.publish(topic, "legacy")
            legacy.publish("over", "end")
            wait_for(lambda: ("over", "end") in agent.heard, "all of it")
            assert {topic for topic, word in agent.heard if word == "legacy"} == {"tele/legacy/SENSOR", "anything/else"}
