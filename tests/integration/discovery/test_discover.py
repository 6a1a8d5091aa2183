"""`edge-agent discover` beside a real broker: a device on a topic of nobody is listed with what it would read."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from paho.mqtt.publish import single

from edge_agent.profiles import SHIPPED, ProfileSet
from edge_agent.profiles.check import example_payload
from tests.brokers import free_port
from tests.integration.doctor.test_doctor import mosquitto
from tests.processes import BIN

pytestmark = pytest.mark.skipif(
    not (shutil.which("mosquitto") or os.environ.get("CI")), reason="there is no mosquitto"
)  # fmt: skip

WAIT_S = 30


def test_discover_lists_a_device_on_a_foreign_topic(tmp_path: Path) -> None:
    payload = example_payload(ProfileSet.load([SHIPPED]).profiles["zigbee2mqtt/plug"].examples[0])
    with mosquitto(tmp_path / "broker", "allow_anonymous true") as port:
        environment = {
            **os.environ,
            "LINLI_GATEWAY_ID": "gw-1",
            "LINLI_DATA_DIR": str(tmp_path / "data"),
            "LINLI_LOCAL_MQTT_PORT": str(port),
            "LINLI_CLOUD_MQTT_PORT": str(free_port()),
            "LINLI_HEALTH_PORT": "0",
        }
        agent = subprocess.Popen([BIN / "edge-agent", "run"], env=environment, stderr=subprocess.DEVNULL)
        try:
            found: list[dict[str, object]] = []
            until = time.monotonic() + WAIT_S
            while not (found and found[0].get("proposals")) and time.monotonic() < until:
                single("plant/unit-7", payload, qos=1, hostname="127.0.0.1", port=port)
                asked = subprocess.run(
                    [BIN / "edge-agent", "discover", "--json"], env=environment, capture_output=True, check=False
                )
                found = json.loads(asked.stdout) if asked.returncode == 0 else []
        finally:
            agent.terminate()
            assert agent.wait(20) == 0
    assert found[0]["topic"] == "plant/unit-7"
    best = found[0]["proposals"][0]  # type: ignore[index]
    assert best["profile"] == "zigbee2mqtt/plug"
    assert best["device"] == "unit-7"
    assert best["values"]
