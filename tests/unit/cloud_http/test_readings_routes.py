"""State, telemetry and availability over HTTP, from real stores."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cloud_api.framelog import IncomingFrame
from contracts.frame import encode_frame, read_header
from contracts.vocabulary import METRICS
from tests.unit.cloud_http.cloud import EPOCH, GATEWAY, NOW, open_cloud, reading

HOUR = 3_600_000


def test_state_is_by_event_time_with_age_and_staleness(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            device = await cloud.seen("t1", "building")
            await cloud.frames([reading("t1", NOW - 500, temperature=21.5, relay_on=True, hvac_mode="heat")])
            await cloud.frames([reading("t1", NOW - HOUR, temperature=3.0)])  # backfill
            state = await cloud.get(f"devices/{device}/state")
            assert state["device_id"] == device
            assert state["metrics"]["temperature"] == {
                "value": 21.5,
                "unit": "Cel",
                "observed_at_ms": NOW - 500,
                "received_at_ms": NOW - 500,
                "age_ms": 500,
                "quality": "good",
                "stale": False,
                "reason": "",
            }
            assert (state["metrics"]["relay_on"]["value"], state["metrics"]["hvac_mode"]["value"]) == (True, "heat")
            cloud.now_ms += METRICS["temperature"].stale_after_ms
            later = await cloud.get(f"devices/{device}/state")
            assert later["metrics"]["temperature"]["stale"] is True
            assert later["metrics"]["hvac_mode"]["stale"] is False

    asyncio.run(run())


def test_raw_telemetry_in_pages(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            device = await cloud.seen("t1", "building")
            await cloud.frames([reading("t1", NOW - 1000 * (5 - n), temperature=20 + n) for n in range(5)])
            await cloud.frames([reading("t1", NOW - 1000, temperature=99.0)])  # a second sample of the same time
            points: list[Any] = []
            cursor = ""
            while True:
                page = await cloud.get(f"devices/{device}/telemetry", metric="temperature", limit=2, cursor=cursor)
                assert (page["metric"], page["unit"]) == ("temperature", "Cel")
                points += page["points"]
                if page["next_cursor"] is None:
                    break
                cursor = page["next_cursor"]
            assert [point["value"] for point in points] == [20, 21, 22, 23, 24, 99]
            assert [point["t_ms"] for point in points] == sorted(point["t_ms"] for point in points)

    asyncio.run(run())


def test_steps_leave_gaps_as_gaps(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            device = await cloud.seen("t1", "building")
            start = NOW - NOW % 60_000 - 600_000
            await cloud.frames(
                [reading("t1", start + at, temperature=value) for at, value in ((0, 1), (1, 3), (180_000, 5))]
            )
            series = await cloud.get(
                f"devices/{device}/telemetry",
                metric="temperature",
                start_ms=start,
                end_ms=start + 300_000,
                step_ms=60_000,
                aggregate="mean",
            )
            assert [(point["t_ms"] - start, point["value"]) for point in series["points"]] == [(0, 2), (180_000, 5)]
            counted = await cloud.get(
                f"devices/{device}/telemetry",
                metric="temperature",
                start_ms=start,
                end_ms=start + 300_000,
                step_ms=60_000,
                aggregate="count",
                limit=1,
            )
            assert (counted["points"][0]["value"], counted["unit"]) == (2, None)
            rest = await cloud.get(
                f"devices/{device}/telemetry",
                metric="temperature",
                start_ms=start,
                end_ms=start + 300_000,
                step_ms=60_000,
                aggregate="count",
                cursor=counted["next_cursor"],
            )
            assert ([point["value"] for point in rest["points"]], rest["next_cursor"]) == ([1], None)

    asyncio.run(run())


def test_words_come_as_words(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            device = await cloud.seen("c1", "charging")
            await cloud.frames([reading("c1", NOW - 10, connector_status="Charging", plugged=True, pile_code="A1")])
            for metric, value in (("connector_status", "Charging"), ("plugged", True), ("pile_code", "A1")):
                series = await cloud.get(f"devices/{device}/telemetry", metric=metric)
                assert [point["value"] for point in series["points"]] == [value]
                last = await cloud.get(f"devices/{device}/telemetry", metric=metric, step_ms=HOUR, aggregate="last")
                assert [point["value"] for point in last["points"]] == [value]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"metric": "warmth"}, "metric_unknown"),
        ({"metric": "temperature", "start_ms": NOW, "end_ms": NOW}, "range_invalid"),
        ({"metric": "temperature", "step_ms": 60_000}, "range_invalid"),
        ({"metric": "temperature", "aggregate": "mean"}, "range_invalid"),
        ({"metric": "temperature", "step_ms": 10, "aggregate": "mean"}, "parameter_invalid"),
        ({"metric": "spot_status", "step_ms": 60_000, "aggregate": "mean"}, "range_invalid"),
        ({"metric": "temperature", "start_ms": -5}, "parameter_invalid"),
        ({}, "parameter_invalid"),
    ],
)
def test_what_telemetry_refuses(tmp_path: Path, parameters: dict[str, Any], word: str) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            device = await cloud.seen("t1", "building")
            answer = await cloud.http.get(f"/api/v1/devices/{device}/telemetry", params=parameters)
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (422, word)

    asyncio.run(run())


def test_availability_counts_and_never_says_free_on_an_old_word(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            for device in ("p1", "p2", "p3", "barrier"):
                await cloud.seen(device, "parking", name=device)
            await cloud.frames(
                [
                    reading("p1", NOW - 1000, spot_status="free"),
                    reading("p2", NOW - 1000, spot_status="occupied"),
                    reading("barrier", NOW - 1000, barrier_state="closed"),
                ]
            )
            found = await cloud.get("availability", community="willow", kind="parking")
            assert found["counts"] == {
                "free": 1, "occupied": 1, "blocked": 0, "reserved": 0, "out_of_service": 0, "unknown": 1, "total": 3,
            }  # fmt: skip
            assert [(place["name"]["en"], place["status"]) for place in found["places"]] == [
                ("p1", "free"),
                ("p2", "occupied"),
                ("p3", "unknown"),
            ]
            cloud.now_ms += METRICS["spot_status"].stale_after_ms
            later = await cloud.get("availability", community="willow", kind="parking")
            assert later["counts"]["unknown"] == later["counts"]["total"] == 3

    asyncio.run(run())


def test_a_conflict_is_in_the_ledger_and_on_pages_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_cloud(tmp_path) as cloud:
            await cloud.frames([reading("d", temperature=1.0)])
            for value in (2.0, 3.0, 3.0):  # the last one came twice
                other = encode_frame(GATEWAY, EPOCH, "bulk", 1, NOW + 7, 0, [reading("d", temperature=value)], [])
                await cloud.stores.durable.framelog.append([IncomingFrame(read_header(other), other, NOW + 9)])
            ledger = await cloud.get(f"gateways/{GATEWAY}/ledger")
            assert (ledger["conflicts"], ledger["stored"], ledger["balanced"]) == (2, 1, True)
            page = await cloud.get(f"gateways/{GATEWAY}/conflicts", limit=1)
            assert page["items"] == [
                {"epoch": EPOCH, "lane": "bulk", "seq": 1, "samples": 1, "born_ms": NOW + 7, "received_ms": NOW + 9,
                 "size_bytes": len(other)}
            ]  # fmt: skip
            last = await cloud.get(f"gateways/{GATEWAY}/conflicts", cursor=page["next_cursor"])
            assert (len(last["items"]), last["next_cursor"]) == (1, None)

    asyncio.run(scenario())


def test_ledger_and_quarantine(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            await cloud.frames([reading("t1", temperature=1.0, humidity=40.0)])
            ledger = await cloud.get("gateways/gw-willow-1/ledger")
            assert (ledger["produced"], ledger["stored"], ledger["balanced"]) == (2, 2, True)
            await cloud.stores.durable.quarantine.frame_refused(
                "gw-willow-1", "topic", "frame_corrupt", "no", NOW, b"\xc1\x00"
            )
            (refused,) = (await cloud.get("quarantine"))["items"]
            assert (refused["reason"], refused["head_base64"], refused["size_bytes"]) == ("frame_corrupt", "wQA=", 2)

    asyncio.run(run())
