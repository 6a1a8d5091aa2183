"""A gateway's local broker, at the site's own network: a device signs in and speaks only for itself."""

import subprocess
from pathlib import Path

from tests.brokers import BROKER_CONFIG, running_broker
from tests.devices import ForeignClient
from tests.integration.broker_access.client import Client, connack
from tests.processes import wait_for

VALVE_SET = "linli-device/valve/valve-1/set"
VALVE_STATE = "linli-device/valve/valve-1/state"


def with_passwords(folder: Path, *names: str) -> None:
    """Each one's password is its own name."""
    (folder / "access").mkdir(parents=True)
    passwords = folder / "access" / "passwords"
    passwords.touch()
    for name in names:
        subprocess.run(["mosquitto_passwd", "-b", passwords, name, name], check=True, capture_output=True)


def test_a_device_speaks_only_for_itself(tmp_path: Path) -> None:
    names = ("agent", "valve-1", "valve-2")
    with_passwords(tmp_path / "broker", *names)
    with running_broker("mosquitto-gateway", tmp_path / "broker") as broker:
        assert broker.port != broker.site_port
        agent, valve, other = (Client(broker.site_port, None, name, password=name) for name in names)
        with agent, valve, other:
            for client in (agent, valve, other):
                client.subscribe("#")
            for topic in (VALVE_STATE, VALVE_SET, "linli-device/reading/valve-1", "zigbee2mqtt/plug"):
                other.publish(topic, "not mine")
            other.publish("linli-device/valve/valve-2/state", "mine")
            valve.publish(VALVE_STATE, "mine")
            agent.publish(VALVE_SET, "told")
            agent.publish("linli-device/valve/valve-2/set", "told")
            wait_for(lambda: valve.heard and other.heard and len(agent.heard) >= 4, "what may be heard")
            assert valve.heard == [(VALVE_SET, "told")]
            assert other.heard == [("linli-device/valve/valve-2/set", "told")]
            assert agent.heard == [
                ("linli-device/valve/valve-2/state", "mine"),
                (VALVE_STATE, "mine"),
                (VALVE_SET, "told"),
                ("linli-device/valve/valve-2/set", "told"),
            ]


def test_without_a_password_only_the_gateway_itself_is_let_in(tmp_path: Path) -> None:
    with running_broker("mosquitto-gateway", tmp_path / "broker") as broker:
        assert connack(broker.port, None) == 0
        assert connack(broker.site_port, None) == 5  # not authorised
        listens_at = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
        assert f"127.0.0.1:{broker.port} " in listens_at


def test_a_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    """The broker does not start with half a configuration."""
    environment = {
        "PORT": "1",
        "SITE_HOST": "127.0.0.1",
        "STORE": "/nowhere",
        "ACCESS": "/nowhere",
        "PATH": "/usr/bin:/bin",
    }
    answer = subprocess.run(
        [BROKER_CONFIG / "mosquitto.sh", BROKER_CONFIG / "mosquitto-gateway.conf", tmp_path / "out.conf"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 1
    assert answer.stderr == "mosquitto.sh: SITE_PORT is not set\n"


def test_what_waits_for_the_agent_is_not_cut(tmp_path: Path) -> None:
    """Mosquitto's default queue of 1,000 would lose the rest and tell the publisher that all is well."""
    with running_broker("mosquitto-gateway", tmp_path / "broker") as broker:
        with Client(broker.port, None, "agent", keeps=True) as agent:
            agent.subscribe("#")
        with ForeignClient(broker.port) as device:
            for number in range(1_500):
                device.send("linli-device/reading/one", str(number).encode(), mark=number)
            wait_for(lambda: len(device.acked) == 1_500, "every PUBACK", 30)
        with Client(broker.port, None, "agent", keeps=True) as agent:
            wait_for(lambda: len(agent.heard) >= 1_500, "all that waited", 30)
            assert [int(payload) for _, payload in agent.heard] == list(range(1_500))
