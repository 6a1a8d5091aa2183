"""What every telemetry store must do, whatever holds it. One suite, every engine."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cloud_api.framelog import SqliteFrameLog
from cloud_api.projections import rebuild
from cloud_api.projections.runner import OpenFrame
from cloud_api.telemetry import AGGREGATES, TelemetryStore
from contracts.frame import decode_columns
from contracts.reading import Clock, Quality, Reading, Sample
from tests.integration.frames import T0, frame, opened, reading
from tests.integration.telemetry_store.engines import ENGINES, fresh, open_duckdb, open_influx

Open = Callable[[], Awaitable[TelemetryStore]]
SOURCE = ("gw-1", "d")
ALWAYS = (0, 2**53)


@pytest.fixture(params=ENGINES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the store; again after a close it is the same store."""
    if request.param == "duckdb":
        return lambda: open_duckdb(tmp_path)
    address = fresh(request.getfixturevalue("influx"))
    return lambda: open_influx(address)


def test_every_type_comes_back_as_it_went_in(open_store: Open) -> None:
    async def scenario() -> None:
        store = await open_store()
        values = {
            "temperature": 21.5, "battery_voltage": 3.301, "message_count": 9_007_199_254_740_991, "water_leak": True,
            "spot_status": "occupied", "firmware_version": "2.4.9 蓝", "longitude": 116.50743103027344, "relay_on": False,
        }  # fmt: skip
        await store.apply([opened(1, frame(1, [reading("d", T0, **values)]))])
        for metric, value in values.items():
            (point,) = await store.series(SOURCE, metric, *ALWAYS, 10)
            assert (point.t_ms, point.value, point.quality) == (T0, value, Quality.GOOD)
            assert type(point.value) is type(value)
        assert await store.series(("gw-2", "d"), "temperature", *ALWAYS, 10) == []
        await store.close()

    asyncio.run(scenario())


def test_an_invalid_value_is_a_gap_and_counts_nothing(open_store: Open) -> None:
    async def scenario() -> None:
        store = await open_store()
        readings = [reading("d", T0 + n, temperature=value) for n, value in enumerate((1.5, None, 2.5))]
        await store.apply([opened(1, frame(1, readings))])
        points = await store.series(SOURCE, "temperature", *ALWAYS, 10)
        assert [(point.value, point.quality) for point in points] == [
            (1.5, Quality.GOOD), (None, Quality.BAD), (2.5, Quality.GOOD),
        ]  # fmt: skip
        (count,) = await store.steps(SOURCE, "temperature", *ALWAYS, 60_000, "count", 10)
        assert (count.value, count.quality) == (2, Quality.BAD)
        await store.close()

    asyncio.run(scenario())


def test_samples_of_one_millisecond_are_all_kept_in_order_over_pages(open_store: Open) -> None:
    async def scenario() -> None:
        store = await open_store()
        for position in range(1, 4):
            readings = [reading("d", T0, message_count=position * 10 + n) for n in range(5)]
            await store.apply([opened(position, frame(position, readings, before=5 * (position - 1)))])
        expected = [position * 10 + n for position in range(1, 4) for n in range(5)]
        found, after = [], None
        while page := await store.series(SOURCE, "message_count", *ALWAYS, 4, after):
            found += [point.value for point in page]
            after = (page[-1].t_ms, page[-1].place)
        assert found == expected
        await store.close()

    asyncio.run(scenario())


def test_aggregates_by_step(open_store: Open) -> None:
    async def scenario() -> None:
        store = await open_store()
        base = T0 // 60_000 * 60_000
        values = [(0, 3.0), (10_000, 1.0), (59_999, 5.0), (60_000, 7.0), (200_000, 2.0)]
        await store.apply([opened(1, frame(1, [reading("d", base + t, temperature=v) for t, v in values]))])
        expected = {
            "count": [3, 1, 1], "sum": [9, 7, 2], "min": [1, 7, 2], "max": [5, 7, 2], "mean": [3, 7, 2], "last": [5, 7, 2],
        }  # fmt: skip
        for aggregate in AGGREGATES:
            points = await store.steps(SOURCE, "temperature", base, base + 10**6, 60_000, aggregate, 10)
            assert [(point.t_ms - base, point.value) for point in points] == list(
                zip([0, 60_000, 180_000], expected[aggregate], strict=True)
            )
        # start is in, end is out
        assert len(await store.series(SOURCE, "temperature", base + 10_000, base + 60_000, 10)) == 2
        await store.close()

    asyncio.run(scenario())


def test_the_cursor_moves_with_the_data(open_store: Open) -> None:
    async def scenario() -> None:
        store = await open_store()
        assert await store.cursor() == 0
        await store.apply([opened(4, frame(1, [reading("d", T0, temperature=1)])), opened(7, frame(2, []))])
        await store.close()
        store = await open_store()
        assert await store.cursor() == 7
        assert len(await store.series(SOURCE, "temperature", *ALWAYS, 10)) == 1
        await store.reset()
        assert await store.cursor() == 0
        assert await store.series(SOURCE, "temperature", *ALWAYS, 10) == []
        await store.close()

    asyncio.run(scenario())


def test_rebuilt_from_the_log_it_gives_the_same_answers(open_store: Open, tmp_path: Path) -> None:
    async def answers(store: TelemetryStore) -> object:
        found = []
        for device in ("d", "e"):
            for metric in ("temperature", "spot_status", "firmware_version"):
                source = ("gw-1", device)
                found.append([point[:3] for point in await store.series(source, metric, *ALWAYS, 1_000)])
                if metric == "temperature":
                    found += [
                        [p[:3] for p in await store.steps(source, metric, *ALWAYS, 5_000, a, 1_000)] for a in AGGREGATES
                    ]
        return found

    async def scenario() -> None:
        log = SqliteFrameLog(tmp_path / "framelog.sqlite")
        store = await open_store()
        for seq in range(1, 40):
            readings = [
                reading(
                    "de"[n % 2],
                    T0 + seq * 700 + n,
                    temperature=seq + n / 10,
                    spot_status="free",
                    firmware_version=str(seq),
                )
                for n in range(7)
            ]
            await log.append([frame(seq, readings)])
        position = 0
        while logged := await log.read(position, 3):
            await store.apply([OpenFrame(*each[:2], decode_columns(each.payload)) for each in logged])
            position = logged[-1].position
        before = await answers(store)
        steps: list[tuple[int, int]] = []
        assert await rebuild(store, log, lambda done, end: steps.append((done, end))) == position
        assert await answers(store) == before
        assert steps[-1] == (position, position)
        assert await store.cursor() == position
        await store.close()
        await log.close()

    asyncio.run(scenario())


def test_words_and_switches_by_step(open_store: Open) -> None:
    async def scenario() -> None:
        store = await open_store()
        said = [(0, "free", True, "a"), (10, "occupied", False, "b"), (20, None, None, None)]
        readings = [reading("d", T0 + t, spot_status=s, water_leak=w, tag_id=i) for t, s, w, i in said]
        await store.apply([opened(1, frame(1, readings))])
        for metric, last in (("spot_status", "occupied"), ("water_leak", False), ("tag_id", "b")):
            for aggregate, value in (("count", 2), ("last", last)):
                (point,) = await store.steps(SOURCE, metric, *ALWAYS, 3_600_000, aggregate, 10)  # type: ignore[arg-type]
                assert (point.value, type(point.value), point.quality) == (value, type(value), Quality.BAD)
        await store.close()

    asyncio.run(scenario())


def test_a_step_without_any_value_is_there_and_empty(open_store: Open) -> None:
    async def scenario() -> None:
        store = await open_store()
        await store.apply([opened(1, frame(1, [reading("d", T0, temperature=None)]))])
        for aggregate, value in (("count", 0), ("sum", None), ("mean", None), ("last", None)):
            (point,) = await store.steps(SOURCE, "temperature", *ALWAYS, 60_000, aggregate, 10)  # type: ignore[arg-type]
            assert (point.value, point.quality) == (value, Quality.BAD)
        await store.close()

    asyncio.run(scenario())


def test_no_value_may_have_any_quality(open_store: Open) -> None:
    async def scenario() -> None:
        store = await open_store()
        samples = [(None, Quality.GOOD), (1.5, Quality.SUBSTITUTED), (None, Quality.UNCERTAIN), (2.5, Quality.GOOD)]
        readings = [
            Reading("d", T0 + at, T0, Clock.DEVICE, (Sample("temperature", value, quality, "why" if quality else ""),))
            for at, (value, quality) in enumerate(samples)
        ]
        await store.apply([opened(1, frame(1, readings))])
        points = await store.series(SOURCE, "temperature", *ALWAYS, 10)
        assert [(point.value, point.quality) for point in points] == samples
        await store.close()

    asyncio.run(scenario())


def test_any_id_is_told_from_any_other(open_store: Open) -> None:
    """Whatever an external id is made of: its samples come back under it and under no other."""
    ids = [
        "d", "d ", " d", "d\\", "d\\\\", "d,", "d=", "d,gateway=gw-2", "d'", "d' OR 1=1 --", 'd"', "d\n", "d\r\n", "d\t",
        "d%", "d%20", "%", "设备 一", "é", "e\u0301", "\U0001f697", "d/", "/d/", "d\x00", "d\x7f", "$d", "d;", "D", "#d",
        "d\\,", "\\", ",", "=", " ", "d\u2028", "x" * 128,
    ]  # fmt: skip

    async def scenario() -> None:
        store = await open_store()
        await store.apply([opened(1, frame(1, [reading(name, T0, message_count=n) for n, name in enumerate(ids)]))])
        for number, name in enumerate(ids):
            points = await store.series(("gw-1", name), "message_count", *ALWAYS, 10)
            assert [point.value for point in points] == [number], name
        await store.close()

    asyncio.run(scenario())


def test_any_text_comes_back(open_store: Open) -> None:
    texts = ["", " ", "\\", '"', '\\"', "a\nb", "\\n", "a,b=c d", "设备", "\U0001f697", "'", "%", "a\\", "\t", "\x01"]

    async def scenario() -> None:
        store = await open_store()
        readings = [reading("d", T0 + n, firmware_version=text) for n, text in enumerate(texts)]
        await store.apply([opened(1, frame(1, readings))])
        assert [p.value for p in await store.series(SOURCE, "firmware_version", *ALWAYS, 99)] == texts
        await store.close()

    asyncio.run(scenario())


def test_what_is_older_is_forgotten_when_asked(open_store: Open) -> None:
    async def scenario() -> None:
        store = await open_store()
        readings = [reading("d", T0 + n, temperature=n, firmware_version=str(n)) for n in range(5)]
        await store.apply([opened(1, frame(1, readings))])
        await store.prune(T0 + 3)
        for metric in ("temperature", "firmware_version"):
            assert [p.t_ms - T0 for p in await store.series(SOURCE, metric, *ALWAYS, 10)] == [3, 4]
        assert await store.cursor() == 1
        await store.close()

    asyncio.run(scenario())
