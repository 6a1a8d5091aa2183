"""InfluxDB dies under load, or refuses a type: the rest goes on, telemetry catches up, one metric harms no other."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from influxdb import InfluxDBClient

from tests.devices import ForeignClient, reading
from tests.faults import LONG
from tests.faults.test_kills import Load, assert_stored_once
from tests.influxdb import InfluxServer, running_influx
from tests.processes import Site, get_json, running_site, wait_for

AWAY_MESSAGES = 60_000 if LONG else 1_500
HISTORY = {"metric": "message_count", "start_ms": 0}


def use_influx(site: Site, server: InfluxServer) -> None:
    """Let the site's cloud keep telemetry there: one setting."""
    assert site.cloud.stop() == 0
    site.cloud.settings["LINLI_TELEMETRY_URL"] = server.url
    site.cloud.start()
    site.cloud.wait_ready()
    site.agent.wait_ready(cloud=True)


def parts_of(site: Site) -> dict[str, str]:
    """What /readyz says of each part."""
    try:
        return dict(get_json(f"{site.cloud.url}/readyz")["parts"])
    except urllib.error.HTTPError as error:
        return dict(json.loads(error.read())["parts"])


def figure(site: Site, line: str) -> float:
    """A line of /metrics, by its beginning."""
    with urllib.request.urlopen(f"{site.cloud.url}/metrics", timeout=10) as answer:
        found = [each for each in answer.read().decode().splitlines() if each.startswith(line)]
    assert len(found) == 1, (line, found)
    return float(found[0].rsplit(" ", 1)[1])


def behind(site: Site) -> float:
    """Frames that live state has and telemetry does not."""
    return figure(site, 'linli_projection_cursor{projection="live"}') - figure(
        site, 'linli_projection_cursor{projection="telemetry"}'
    )


def live_count(site: Site, device_id: str) -> int:
    """The device's message_count as live state has it."""
    return int(site.cloud.get(f"devices/{device_id}/state")["metrics"]["message_count"]["value"])


def refusal_of_history(site: Site, device_id: str) -> tuple[int, str | None, dict[str, Any]]:
    """Status, Retry-After and problem that the history answers with."""
    try:
        site.cloud.get(f"devices/{device_id}/telemetry", **HISTORY)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Retry-After"], json.loads(error.read())
    return 200, None, {}


@pytest.mark.long
def test_influxdb_away_under_load(tmp_path: Path) -> None:
    with running_influx(tmp_path / "influx") as server, running_site(tmp_path) as site:
        use_influx(site, server)
        load = Load(site.local_broker.port, "thirsty")
        device_id = wait_for(lambda: site.cloud.device("thirsty"), "the device")["id"]
        wait_for(lambda: len(site.cloud.samples(device_id, "message_count")) > 100, "telemetry in InfluxDB")
        server.kill()
        sent = load.sent
        wait_for(
            lambda: live_count(site, device_id) > sent + AWAY_MESSAGES, "live state to go on", 20 + AWAY_MESSAGES / 100
        )

        assert behind(site) > 0
        parts = parts_of(site)
        assert "InfluxDB" in parts.pop("telemetry")
        assert set(parts.values()) == {"ready"}
        status, retry_after, problem = refusal_of_history(site, device_id)
        assert (status, problem["type"].rsplit("/", 1)[1]) == (503, "not_ready")
        assert int(retry_after or 0) > 0

        server.start()
        wait_for(lambda: parts_of(site)["telemetry"] == "ready" and behind(site) == 0, "telemetry to catch up", 30)
        assert_stored_once(site, "thirsty", load.stop())


@pytest.mark.long
def test_influxdb_back_without_its_disk(tmp_path: Path) -> None:
    with running_influx(tmp_path / "influx") as server, running_site(tmp_path) as site:
        use_influx(site, server)
        load = Load(site.local_broker.port, "bare")
        device_id = wait_for(lambda: site.cloud.device("bare"), "the device")["id"]
        wait_for(lambda: len(site.cloud.samples(device_id, "message_count")) > 100, "telemetry in InfluxDB")
        server.kill()
        server.erase()
        server.start()
        wait_for(lambda: load.sent > 1_000, "more load")
        assert_stored_once(site, "bare", load.stop())


@pytest.mark.long
def test_influxdb_refuses_a_type(tmp_path: Path) -> None:
    with running_influx(tmp_path / "influx") as server, running_site(tmp_path) as site:
        use_influx(site, server)
        with ForeignClient(site.local_broker.port) as client:
            client.publish("linli-device/reading/typed", reading(1))
            device_id = wait_for(lambda: site.cloud.device("typed"), "the device")["id"]
            (first,) = wait_for(lambda: site.cloud.samples(device_id, "message_count"), "its first sample")
            foreign = InfluxDBClient("127.0.0.1", server.port)
            line = f'readings,device=x,gateway=y temperature="warm" {first["t_ms"] * 1_000_000}'
            foreign.write(line, {"db": "linli"}, protocol="line")
            foreign.close()
            client.publish("linli-device/reading/typed", reading(2, temperature=20.5))
            client.publish("linli-device/reading/typed", reading(3))
        wait_for(lambda: len(site.cloud.samples(device_id, "message_count")) == 3, "the other samples")
        wait_for(lambda: behind(site) == 0, "the projection to move on")
        assert site.cloud.samples(device_id, "temperature") == []
        (entry,) = [each for each in site.cloud.get("quarantine")["items"] if each["origin"] == "store"]
        assert (entry["reason"], entry["topic"], entry["count"]) == (
            "field_type_conflict",
            "telemetry/typed/temperature",
            1,
        )
        assert "temperature" in entry["detail"]
        assert figure(site, "linli_telemetry_refused_samples_total") == 1
        assert parts_of(site)["telemetry"] == "ready"
