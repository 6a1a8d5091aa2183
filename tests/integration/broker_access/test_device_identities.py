"""Devices of the registry at both local brokers: each signs in, and speaks where its profile or its adoption says."""

from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from contracts.messages import DesiredDevice, DesiredState
from edge_agent.outbox import Batch, Outbox
from edge_agent.site_access import new_password, write_site_access
from tests.brokers import Broker, Kind, running_broker
from tests.integration.broker_access.client import Client, connack
from tests.processes import wait_for

DEVICES = [
    DesiredDevice(device="meter-1", profile="tasmota/energy"),
    DesiredDevice(device="meter-10", profile="tasmota/energy"),
    DesiredDevice(device="meter.1", profile="tasmota/energy"),
    DesiredDevice(device="*", profile="tasmota/energy"),  # to a NATS server: any level
    DesiredDevice(device="valve-1", profile="linli/valve"),
    DesiredDevice(device="adopted", profile="linli/reading", topics=["hall/three/temperature", "/hall//four/"]),
    DesiredDevice(device="legacy", profile="tasmota/energy"),
]
WITH_PASSWORD = ("meter-1", "meter-10", "meter.1", "*", "valve-1", "adopted", "agent", "bridge", "unknown")
MAY_WRITE = {
    "meter-1": {"tele/meter-1/SENSOR"}, "meter-10": {"tele/meter-10/SENSOR"}, "meter.1": {"tele/meter.1/SENSOR"},
    "valve-1": {"linli-device/valve/valve-1/state"}, "adopted": {"hall/three/temperature", "/hall//four/"},
    "legacy": {"tele/legacy/SENSOR"}, "bridge": {"bridge", "bridge/plug/1"},
}  # fmt: skip
NOBODYS = {"tele/meter/1/SENSOR", "tele/meter-1/OTHER", "linli-device/valve/valve-1/set", "elsewhere"}
SERVERS_OWN = {"$MQTT/msgs/tele/meter-1/SENSOR", "$JS/API/STREAM/DELETE/$MQTT_msgs", "$SYS/broker/uptime"}
BRIDGE = "\nuser bridge\ntopic write bridge/#\n"
VALVE_SET = "linli-device/valve/valve-1/set"

on_both_brokers = pytest.mark.parametrize("kind", ["nats-site", "mosquitto-gateway"])


def prepared(folder: Path, is_open: bool) -> dict[str, str]:
    """An outbox with the desired state in use, passwords, and what is made of them. Returns the passwords."""
    access = folder / "access"
    access.mkdir(parents=True)
    passwords = {name: new_password(access, name) for name in WITH_PASSWORD}
    outbox = Outbox(folder / "outbox.sqlite", "gw-1", 1 << 30, lambda: 1)
    document = msgspec.msgpack.encode(DesiredState(version=1, devices=DEVICES))
    outbox.commit(Batch(documents={"desired": document}))
    outbox.close()
    write_site_access(access, folder, "", is_open)  # makes site.acl
    with (access / "site.acl").open("a", encoding="utf-8") as by_hand:
        by_hand.write(BRIDGE)
    known = write_site_access(access, folder, "", is_open)
    assert known == ["*", "adopted", "meter-1", "meter-10", "meter.1", "valve-1"]
    assert not any(password in file.read_text() for password in passwords.values() for file in access.iterdir())
    return passwords


@on_both_brokers
def test_no_device_speaks_for_another(tmp_path: Path, kind: Kind) -> None:
    """Every identity writes every topic: what arrives is its own. Who has lost his password is shut out, nobody else."""
    passwords = prepared(tmp_path, is_open=False)
    topics = sorted(set().union(*MAY_WRITE.values(), NOBODYS, SERVERS_OWN))
    with running_broker(kind, tmp_path) as broker, ExitStack() as stack:
        clients = {
            name: stack.enter_context(Client(broker.site_port, None, f"c{number}", passwords[name], user=name))
            for number, name in enumerate(WITH_PASSWORD)
            if (name, kind) != ("unknown", "nats-site")  # who has no rights there is not let in at all
        }
        agent = clients["agent"]
        agent.subscribe("#")
        clients["valve-1"].subscribe("#", VALVE_SET)
        clients["meter-1"].subscribe("#", *topics)
        for name, client in clients.items():
            for topic in topics if name != "agent" else ():
                client.publish(topic, name)
        agent.publish(VALVE_SET, "end")
        wait_for(lambda: (VALVE_SET, "end") in agent.heard, "all of it")
        heard = {each for each in agent.heard if each[1] != "end"}
        own = {(topic, name) for name, own in MAY_WRITE.items() if name in WITH_PASSWORD for topic in own}
        assert heard == own
        wait_for(lambda: clients["valve-1"].heard, "the valve to be told")
        assert clients["valve-1"].heard == [(VALVE_SET, "end")]
        assert clients["meter-1"].heard == []
        assert connack(broker.site_port, None, "legacy") == 5, "who has no password is not let in"

        shut_out(broker, tmp_path, "meter-1")
        wait_for(lambda: not let_in(broker, "meter-1", passwords), "the lost password to count nothing")
        clients["meter-10"].publish("tele/meter-10/SENSOR", "after")
        wait_for(lambda: ("tele/meter-10/SENSOR", "after") in agent.heard, "the others to go on")
        assert clients["meter-10"].connected and agent.connected


def shut_out(broker: Broker, folder: Path, name: str) -> None:
    """Take a password away, as somebody does it with an editor, and have the broker read it."""
    for file in (folder / "access").glob("passwords*"):
        kept = [line for line in file.read_text().splitlines(keepends=True) if not line.startswith(f"{name}:")]
        file.write_text("".join(kept))
    write_site_access(folder / "access", folder, "", is_open=False)
    broker.reload()


def let_in(broker: Broker, name: str, passwords: dict[str, str]) -> bool:
    try:
        Client(broker.site_port, None, name, password=passwords[name], patience_s=0.3).close()
    except AssertionError:
        return False
    return True


@on_both_brokers
def test_an_open_bus_lets_legacy_devices_in_and_not_as_another(tmp_path: Path, kind: Kind) -> None:
    passwords = prepared(tmp_path, is_open=True)
    with running_broker(kind, tmp_path, site_open=True) as broker:
        agent = Client(broker.site_port, None, "agent", password=passwords["agent"])
        legacy = Client(broker.site_port, None, "legacy")
        with agent, legacy:
            agent.subscribe("#")
            for topic in (*sorted(set().union(*MAY_WRITE.values(), SERVERS_OWN)), "anything/else"):
                legacy.publish(topic, "legacy")
            legacy.publish("over", "end")
            wait_for(lambda: ("over", "end") in agent.heard, "all of it")
            spoken = {topic for topic, word in agent.heard if word == "legacy"}
            assert spoken - MAY_WRITE["bridge"] == {"tele/legacy/SENSOR", "anything/else"}
