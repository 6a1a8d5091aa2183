"""Everything that is asked of a device that was moved: its history, its present, its sessions, what watchers are told."""

import asyncio
import json
from pathlib import Path
from typing import Any

from cloud_api.live.routes import Seen, Watch
from contracts.messages import ChargingTransaction
from device_registry import DeviceFilter, devices, sources_of_all
from tests.unit.cloud_http.cloud import GATEWAY, NOW, Cloud, open_cloud, reading

OTHER = "gw-willow-2"
MINUTE = 60_000
MOVED = NOW - 10 * MINUTE


async def moved(cloud: Cloud, external_id: str, kind: str, **body: Any) -> str:
    """A device that was moved to OTHER at MOVED. Returns its id."""
    name = {"zh": "二", "en": "Two"}
    await cloud.http.put(f"/api/v1/gateways/{OTHER}", json={"community_id": "willow", "name": name})
    device = await cloud.seen(external_id, kind, at_ms=MOVED - MINUTE)
    cloud.now_ms = NOW + MINUTE
    answer = await cloud.http.post(f"/api/v1/devices/{device}/move", json={"gateway_id": OTHER, "at_ms": MOVED, **body})
    assert answer.status_code == 200, answer.text
    return device


async def steps(cloud: Cloud, device: str, aggregate: str, step_ms: int = 4 * MINUTE) -> list[Any]:
    points = (
        await cloud.get(
            f"devices/{device}/telemetry", metric="temperature", step_ms=step_ms, aggregate=aggregate,
            start_ms=MOVED - 60 * MINUTE, end_ms=NOW,
        )
    )["points"]  # fmt: skip
    return [point["value"] for point in points]


def test_history_over_a_move_in_pages_and_steps(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            device = await moved(cloud, "t1", "building")
            begin = MOVED // (4 * MINUTE) * 4 * MINUTE  # of the step in which it was moved
            after = [reading("t1", MOVED + n, temperature=30 + n) for n in (0, 1)]
            await cloud.frames([reading("t1", MOVED - 1, temperature=55)], gateway=OTHER)  # another's, before
            await cloud.frames(after, gateway=OTHER)
            await cloud.frames([reading("t1", MOVED, temperature=-55)])  # another's, after
            await cloud.frames([reading("t1", begin, temperature=10), reading("t1", MOVED - 1, temperature=13)])
            query = {"metric": "temperature", "start_ms": begin, "end_ms": NOW}
            found: list[Any] = []
            cursor = ""
            while True:
                more = {"cursor": cursor} if cursor else {}
                page = await cloud.get(f"devices/{device}/telemetry", **query, limit=1, **more)
                found += [point["value"] for point in page["points"]]
                cursor = page["next_cursor"]
                if not cursor:
                    break
            assert found == [10, 13, 30, 31]
            assert await steps(cloud, device, "mean") == [84 / 4]
            assert await steps(cloud, device, "count") == [4]
            assert await steps(cloud, device, "min") == [10]
            assert await steps(cloud, device, "last") == [31]
            state = (await cloud.get(f"devices/{device}/state"))["metrics"]
            assert state["temperature"]["value"] == 31

    asyncio.run(run())


def test_a_watcher_is_told_of_the_present_alone(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            device = await moved(cloud, "t1", "building")
            quality, live = cloud.stores.quality, cloud.stores.live

            async def find(where: Any) -> Any:
                return Seen(await sources_of_all(await devices(DeviceFilter(**where))), None)

            async def still_there() -> bool:
                return True

            async def project(at_ms: int, value: float, gateway: str) -> None:
                await cloud.frames([reading("t1", at_ms, temperature=value)], gateway=gateway)

            await project(MOVED - 5, 1, GATEWAY)
            watch = Watch(
                live, quality.doubts_of, find, {"device": device}, lambda: cloud.now_ms, True, still_there
            )  # fmt: skip
            stream = watch.events("")
            assert told(await anext(stream)) == [1]
            await project(NOW - 5, 20, OTHER)
            assert told(await anext(stream)) == [20]
            await project(MOVED - 1, 2, GATEWAY)  # late, from its old place
            await project(NOW - 1, 77, GATEWAY)  # of another, there
            await project(NOW - 1, 21, OTHER)
            assert told(await anext(stream))[-1:] == [21]
            await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())


def told(chunk: bytes) -> list[Any]:
    found = []
    for line in chunk.decode().splitlines():
        if line.startswith("data: "):
            document = json.loads(line.removeprefix("data: "))
            found += [each["metrics"]["temperature"]["value"] for each in document.get("devices", [document])]
    assert 2 not in found and 77 not in found
    return found


def test_transactions_and_quality_follow_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            device = await moved(cloud, "CP-1", "charging")

            def said(name: str, started_ms: int) -> ChargingTransaction:
                return ChargingTransaction(
                    transaction=name, device="CP-1", charge_point="CP", token="", seq=1, started_ms=started_ms,
                    meter_start_wh=0, meter_wh=5, energy_wh=5, ended_ms=started_ms + 5, reason="", offline=False,
                    time_unsure=False, at_ms=NOW,
                )  # fmt: skip

            await cloud.frames(records=[said("before", MOVED - 1), said("not mine", MOVED)])
            await cloud.frames(records=[said("after", MOVED), said("nor this", MOVED - 1)], gateway=OTHER)
            sessions = await cloud.get(f"devices/{device}/charging-sessions")
            assert [each["transaction"] for each in sessions["items"]] == ["before", "after"]
            everything = (await cloud.get("charging-transactions"))["items"]
            owners = {each["transaction"]: each["device_id"] for each in everything}
            assert owners == {"before": device, "after": device, "not mine": None, "nor this": None}

            # A register that another meter at the same place had says nothing of this one's.
            for at_ms, wh, gateway in ((MOVED - 9, 500, GATEWAY), (MOVED - 9, 90_000, OTHER), (MOVED + 9, 900, OTHER)):
                heard = [reading("CP-1", at_ms, energy_active_import_register=wh)]
                await cloud.frames(heard, gateway=gateway)
            assert (await cloud.get("findings", device=device))["items"] == []
            await cloud.frames([reading("CP-1", MOVED + 10, energy_active_import_register=3)], gateway=OTHER)
            (found,) = (await cloud.get("findings", device=device))["items"]
            assert (found["check"], found["detail"]) == ("reset", "from 900 back to 3")

    asyncio.run(run())


def test_what_a_move_refuses(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            await cloud.http.put("/api/v1/communities/plum", json={"name": {"zh": "梅园", "en": "Plum"}})
            for gateway, community in (("gw-plum", "plum"), (OTHER, "willow")):
                body = {"community_id": community, "name": {"zh": "二", "en": "Two"}}
                await cloud.http.put(f"/api/v1/gateways/{gateway}", json=body)
            device, taken = await cloud.seen("t1", "building"), await cloud.seen("t2", "building")
            for body, status in (
                ({"gateway_id": "gw-plum"}, 409),
                ({"gateway_id": GATEWAY, "external_id": "t2"}, 409),
                ({"gateway_id": OTHER, "at_ms": NOW + 1}, 409),
                ({"gateway_id": OTHER, "at_ms": 0}, 409),
                ({"gateway_id": "nowhere"}, 404),
                ({"gateway_id": OTHER, "external_id": "a\0b"}, 422),
                ({"gateway_id": GATEWAY}, 200),  # it is there
            ):
                answer = await cloud.http.post(f"/api/v1/devices/{device}/move", json=body)
                assert (answer.status_code, answer.text[:0]) == (status, ""), answer.text
            versions = {each: (await cloud.get(f"gateways/{each}"))["desired_version"] for each in (GATEWAY, OTHER)}
            answer = await cloud.http.post(f"/api/v1/devices/{device}/move", json={"gateway_id": OTHER})
            assert answer.status_code == 200
            after = {each: (await cloud.get(f"gateways/{each}"))["desired_version"] for each in (GATEWAY, OTHER)}
            assert after == {each: version + 1 for each, version in versions.items()}
            # What was adopted at the new place gives way only when a person says that it is this one.
            body = {"gateway_id": GATEWAY, "external_id": "t2", "replace": True}
            cloud.now_ms += 1
            answer = await cloud.http.post(f"/api/v1/devices/{device}/move", json=body)
            assert (answer.status_code, answer.json()["external_id"]) == (200, "t2")
            assert (await cloud.http.get(f"/api/v1/devices/{taken}")).status_code == 404

    asyncio.run(run())
