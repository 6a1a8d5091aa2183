"""Discoveries over HTTP: listed with proposals and values, adopted with their topic, dismissed."""

import asyncio
from pathlib import Path
from typing import Any

import device_registry as registry
from cloud_api.signing import signing
from contracts.messages import Discovered, Proposal
from tests.unit.cloud_http.cloud import GATEWAY, NOW, open_cloud

ROOT = f"gateways/{GATEWAY}/discoveries"
PLUG = Proposal(
    profile="zigbee2mqtt/plug",
    profile_version=2,
    kind="building",
    score=0.9,
    device="unit-7",
    values={"power": 41.5, "on": True},
)


def told(topic: str = "plant/unit-7", at_ms: int = NOW, **changes: Any) -> Discovered:
    values = {"count": 1, "size_bytes": 3, "head": b"\xff\x00a", "proposals": [PLUG], "first_ms": NOW - 9}
    return Discovered(topic=topic, at_ms=at_ms, **{**values, **changes})  # type: ignore[arg-type]


def test_what_was_discovered_is_listed_in_pages_with_what_would_be_read(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            await cloud.frames(
                records=[told(count=8, at_ms=NOW + 1), told(count=4), told("a/b", NOW + 2, proposals=[])]
            )
            page = await cloud.get(ROOT, limit=1)
            assert [item["topic"] for item in page["items"]] == ["a/b"]
            page = await cloud.get(ROOT, limit=1, cursor=page["next_cursor"])
            assert page == {
                "items": [
                    {
                        "topic": "plant/unit-7", "status": "open", "device_id": None, "count": 8, "size_bytes": 3,
                        "head_base64": "/wBh", "first_ms": NOW - 9, "at_ms": NOW + 1,
                        "proposals": [
                            {"profile": "zigbee2mqtt/plug", "profile_version": 2, "kind": "building", "score": 0.9,
                             "device": "unit-7", "values": {"power": 41.5, "on": True}}
                        ],
                    }
                ],
                "next_cursor": None,
            }  # fmt: skip
            assert (await cloud.http.get("/api/v1/gateways/nobody/discoveries")).status_code == 404

    asyncio.run(run())


def test_adopted_it_is_a_device_that_the_gateway_is_to_read_on_this_topic(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path, adopt="wait") as cloud:
            await cloud.frames(records=[told()])
            name = {"zh": "热水器", "en": "Water heater"}
            body = {"topic": "plant/unit-7", "profile": PLUG.profile, "device": "boiler", "name": name,
                    "parameters": {"offset": 1.5}}  # fmt: skip
            made = await cloud.http.post(f"/api/v1/{ROOT}/adopt", json=body)
            again = await cloud.http.post(f"/api/v1/{ROOT}/adopt", json=body)
            assert made.status_code == 200, made.text
            assert again.json() == made.json()
            device = made.json()
            assert (device["id"], device["external_id"]) == (registry.device_id(GATEWAY, "boiler"), "boiler")
            assert (device["status"], device["name"], device["profile_version"]) == ("adopted", name, 2)
            ((_, document),) = await registry.desired_states({}, signing(cloud.stores.signing_key))
            (desired,) = document.devices
            assert (desired.device, desired.profile, desired.topics, desired.parameters) == (
                "boiler", PLUG.profile, ["plant/unit-7"], {"offset": 1.5},
            )  # fmt: skip
            await cloud.frames(records=[told(at_ms=NOW + 5)])  # was on its way
            assert (await cloud.get(ROOT))["items"] == []
            assert [each["device_id"] for each in (await cloud.get(ROOT, status="adopted"))["items"]] == [device["id"]]

    asyncio.run(run())


def test_what_can_not_be_adopted_is_said(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            await cloud.frames(records=[told(), told("plant/+"), told("plant/unit-8")])
            await cloud.seen("p1", "parking")
            body = {"topic": "plant/unit-7", "profile": PLUG.profile, "device": "boiler"}
            for change, status, says in (
                ({"topic": "nobody/said"}, 404, "nobody/said"),
                ({"profile": "nobody/has"}, 409, "has no profile"),
                ({"topic": "plant/+"}, 409, "stands for many topics"),
                ({"device": "p1"}, 409, "is read by 'linli/reading'"),
                ({"device": ""}, 422, "device"),
            ):
                answer = await cloud.http.post(f"/api/v1/{ROOT}/adopt", json={**body, **change})
                assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text
            assert (await cloud.http.post(f"/api/v1/{ROOT}/adopt", json=body)).status_code == 200
            other = await cloud.http.post(f"/api/v1/{ROOT}/adopt", json={**body, "device": "other"})
            assert (other.status_code, other.json()["type"]) == (409, "https://linli.invalid/problems/conflict")
            gone = await cloud.http.post(f"/api/v1/{ROOT}/dismiss", json={"topic": "plant/unit-7"})
            assert gone.status_code == 409

    asyncio.run(run())


def test_a_person_may_choose_another_profile_and_take_it_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            await cloud.frames(records=[told()])
            body = {"topic": "plant/unit-7", "profile": "nwave/nps", "device": "p7"}
            made = await cloud.http.post(f"/api/v1/{ROOT}/adopt", json=body)
            assert (made.status_code, made.json()["kind"], made.json()["profile"]) == (200, "parking", "nwave/nps")
            for _ in range(2):
                freed = await cloud.http.post(f"/api/v1/{ROOT}/release", json={"topic": "plant/unit-7"})
                assert (freed.status_code, freed.json()["status"], freed.json()["device_id"]) == (200, "open", None)
            ((_, document),) = await registry.desired_states({}, signing(cloud.stores.signing_key))
            assert [(each.device, each.topics) for each in document.devices] == [("p7", [])]
            assert [item["topic"] for item in (await cloud.get(ROOT))["items"]] == ["plant/unit-7"]
            other = {**body, "profile": PLUG.profile, "device": "boiler"}
            assert (await cloud.http.post(f"/api/v1/{ROOT}/adopt", json=other)).status_code == 200
            # Two people at once: who comes second is told so.
            assert (await cloud.http.post(f"/api/v1/{ROOT}/adopt", json=body)).status_code == 409
            await cloud.http.post(f"/api/v1/{ROOT}/release", json={"topic": "plant/unit-7"})
            await cloud.http.post(f"/api/v1/{ROOT}/dismiss", json={"topic": "plant/unit-7"})
            assert (await cloud.http.post(f"/api/v1/{ROOT}/adopt", json=body)).status_code == 409

    asyncio.run(run())


def test_dismissed_it_stays_away(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            await cloud.frames(records=[told()])
            for _ in range(2):
                answer = await cloud.http.post(f"/api/v1/{ROOT}/dismiss", json={"topic": "plant/unit-7"})
                assert (answer.status_code, answer.json()["status"]) == (200, "dismissed")
            await cloud.frames(records=[told(count=64, at_ms=NOW + 1)])
            assert (await cloud.get(ROOT))["items"] == []
            assert [each["count"] for each in (await cloud.get(ROOT, status="dismissed"))["items"]] == [64]

    asyncio.run(run())


def test_what_can_not_be_kept_is_refused_by_name_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            wrong = Proposal(profile="p", profile_version=1, kind="building", score=2, device="d")
            await cloud.frames(records=[told(proposals=[wrong]), told(count=0), told("x" * 257), told("fine")])
            assert [each["topic"] for each in (await cloud.get(ROOT))["items"]] == ["fine"]
            refused = (await cloud.get("quarantine"))["items"]
            assert sorted(each["reason"] for each in refused) == ["proposal_invalid", "size_invalid", "topic_invalid"]

    asyncio.run(run())
