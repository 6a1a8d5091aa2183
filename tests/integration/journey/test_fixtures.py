"""Every vendor's real message, published by a foreign client at the gateway's port, comes out of the cloud's API."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.devices import ForeignClient
from tests.processes import Site, Stores, running_site, wait_for

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures" / "vendor_payloads"
CASES = sorted(FIXTURES.glob("*.json"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, stores: Stores | None) -> Iterator[Site]:
    """One running site for all cases."""
    with running_site(tmp_path_factory.mktemp("site"), stores=stores) as running:
        yield running


def payload_of(case: dict[str, Any]) -> bytes:
    """The bytes on the wire."""
    payload = case["payload"]
    if case["payload_encoding"] == "hex":
        return bytes.fromhex(payload)
    return payload.encode() if case["payload_encoding"] == "text" else json.dumps(payload).encode()


def of_its_own(case: dict[str, Any], number: int) -> tuple[str, bytes]:
    """Topic and payload of a device of its own: the fixtures share device ids, real devices do not."""
    topic, payload = case["topic"], payload_of(case)
    own = f"{number:016x}"
    for shared in ("1000000000000001", "0101010101010101", "evse_manager", "CP_1", "7b2c"):
        topic, payload = topic.replace(shared, own), payload.replace(shared.encode(), own.encode())
    return topic, payload


def test_the_fixtures_are_there() -> None:
    assert len(CASES) == 45


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_fixture_is_readable_within_two_seconds(path: Path, site: Site) -> None:
    case = json.loads(path.read_text())
    topic, payload = of_its_own(case, 0xA000 + CASES.index(path))
    before = {
        device["id"]: site.cloud.get(f"devices/{device['id']}/state") for device in site.cloud.get("devices")["items"]
    }
    with ForeignClient(site.local_broker.port) as client:
        client.publish(topic, payload)
    expect = {name: spec for name, spec in case["expect"].items() if name not in (case.get("optional") or [])}
    refused_metric = (case.get("absent") or [None])[0] if not expect else None

    def found() -> dict[str, Any] | None:
        for device in site.cloud.get("devices")["items"]:
            state = site.cloud.get(f"devices/{device['id']}/state")
            wanted = set(expect) or {refused_metric}
            if wanted <= set(state["metrics"]) and state != before.get(device["id"], {}):
                newest = max(metric["received_at_ms"] for metric in state["metrics"].values())
                known = before.get(device["id"], {}).get("metrics", {})
                if newest > max([metric["received_at_ms"] for metric in known.values()], default=0):
                    return {"device": device, "metrics": state["metrics"]}
        return None

    answer = wait_for(found, f"the state of {path.stem}", 2)
    for name, spec in expect.items():
        shown = answer["metrics"][name]
        assert same(shown["value"], spec), (name, shown, spec)
        assert shown["unit"] == spec["unit"]
        points = wait_for(
            lambda metric=name: site.cloud.samples(answer["device"]["id"], metric), f"telemetry of {name}"
        )
        assert any(same(point["value"], spec) for point in points), (name, points)
        if case.get("observed_at"):
            observed = round(datetime.fromisoformat(case["observed_at"]).timestamp() * 1000)
            assert observed in [point["t_ms"] for point in points]
    for name in case.get("absent") or []:
        assert answer["metrics"].get(name, {"value": None})["value"] is None


def same(value: Any, spec: dict[str, Any]) -> bool:
    """The rule of the fixtures' README."""
    wanted = spec["value"]
    if isinstance(wanted, bool | str):
        return type(value) is type(wanted) and value == wanted
    return isinstance(value, int | float) and abs(value - wanted) <= max(spec.get("tol", 0), 1e-6 * abs(wanted))
