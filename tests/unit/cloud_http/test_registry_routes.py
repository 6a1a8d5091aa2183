"""The registry over HTTP: lists, pages, filters, changes."""

import asyncio
from pathlib import Path

from tests.unit.cloud_http.cloud import GATEWAY, open_cloud


def test_what_is_put_is_there_and_may_be_put_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            body = {"community_id": "willow", "kind": "parking", "name": {"zh": "北停车场", "en": "North car park"}}
            first = await cloud.http.put("/api/v1/facilities/willow-north", json=body)
            again = await cloud.http.put("/api/v1/facilities/willow-north", json=body)
            assert first.json() == again.json() == {"id": "willow-north", **body}
            changed = await cloud.http.put("/api/v1/facilities/willow-north", json={**body, "kind": "waste"})
            assert (changed.status_code, changed.json()["type"]) == (409, "https://linli.invalid/problems/conflict")
            assert (await cloud.get("communities"))["items"] == [
                {"id": "willow", "name": {"zh": "柳园", "en": "Willow Garden"}}
            ]

    asyncio.run(run())


def test_a_gateway_shows_what_is_known_of_it_now(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            before = await cloud.get(f"gateways/{GATEWAY}")
            assert (before["online"], before["last_seen_ms"], before["agent_version"]) == (False, None, "")
            cloud.online()
            await cloud.seen("d1", "parking")
            now = await cloud.get(f"gateways/{GATEWAY}")
            assert (now["online"], now["last_seen_ms"], now["agent_version"]) == (True, cloud.now_ms, "0.1.0")
            assert (now["desired_version"], now["reported_version"]) == (1, 0)
            cloud.online(False)
            assert not (await cloud.get(f"gateways/{GATEWAY}"))["online"]

    asyncio.run(run())


def test_pages_follow_their_cursor_to_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            made = sorted([await cloud.seen(f"d{number}", "parking") for number in range(5)])
            seen, cursor = [], ""
            for _ in range(3):
                page = await cloud.get("devices", limit=2, cursor=cursor)
                seen += [item["id"] for item in page["items"]]
                cursor = page["next_cursor"] or ""
            assert (seen, cursor) == (made, "")

    asyncio.run(run())


def test_filters_narrow_together(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            place = await cloud.seen("d1", "parking", name="A-07")
            await cloud.seen("d2", "waste")
            for wanted in ({"kind": "parking"}, {"facility": "willow-parking"}, {"external_id": "d1"}, {"q": "A-0"}):
                found = await cloud.get("devices", community="willow", gateway=GATEWAY, **wanted)
                assert [item["id"] for item in found["items"]] == [place]
            assert (await cloud.get("devices", kind="parking", q="waste"))["items"] == []

    asyncio.run(run())


def test_a_device_waits_until_it_is_adopted(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path, adopt="wait") as cloud:
            device = await cloud.seen("d1", "building", ["open_valve"])
            assert (await cloud.get(f"devices/{device}"))["status"] == "pending"
            refused = await cloud.http.post(
                f"/api/v1/devices/{device}/commands", json={"verb": "open_valve"}, headers={"Idempotency-Key": "k"}
            )
            assert refused.json()["type"].endswith("/device_pending")
            adopted = (await cloud.http.post(f"/api/v1/devices/{device}/adopt")).json()
            assert (adopted["status"], adopted["adopted_ms"]) == ("adopted", cloud.now_ms)
            name = {"zh": "总阀", "en": "Main valve"}
            changed = await cloud.http.patch(f"/api/v1/devices/{device}", json={"name": name})
            assert changed.json()["name"] == name

    asyncio.run(run())


def test_what_a_person_changes_of_a_device(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            device = await cloud.seen("b1", "waste")
            path = f"/api/v1/devices/{device}"
            north = {"community_id": "willow", "kind": "waste", "name": {"zh": "北", "en": "North"}}
            await cloud.http.put("/api/v1/facilities/willow-north", json=north)
            await cloud.http.put("/api/v1/facilities/willow-cars", json={**north, "kind": "parking"})
            before = await cloud.get(f"devices/{device}")
            version = (await cloud.get(f"gateways/{GATEWAY}"))["desired_version"]
            for change in ({"facility_id": "willow-north"}, {"parameters": {"height_mm": 1200.0}}):
                answer = await cloud.http.patch(path, json=change)
                before |= change
                assert (answer.status_code, answer.json()) == (200, before)  # what is left out stays
            assert (await cloud.get(f"gateways/{GATEWAY}"))["desired_version"] == version + 1  # by its parameters
            for wrong, status in (
                ({"facility_id": "willow-cars"}, 409),
                ({"facility_id": "nowhere"}, 404),
                ({"gateway_id": "gw-2"}, 422),
                ({"parameters": {"height_mm": "tall"}}, 422),
                ({"parameters": {f"p{number}": 1 for number in range(33)}}, 422),
            ):
                answer = await cloud.http.patch(path, json=wrong)
                assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
            not_finite = b'{"parameters": {"height_mm": Infinity}}'
            answer = await cloud.http.patch(path, content=not_finite, headers={"content-type": "application/json"})
            assert answer.status_code == 422
            assert await cloud.get(f"devices/{device}") == before

    asyncio.run(run())
