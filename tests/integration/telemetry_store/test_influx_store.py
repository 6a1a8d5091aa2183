"""What only a store on another machine can do wrong: crashes between data and cursor, refusals, a server that is away."""

import asyncio
import random
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from influxdb import InfluxDBClient

from cloud_api.projections.runner import OpenFrame
from cloud_api.telemetry import AGGREGATES, StoreAway, TelemetryStore
from cloud_api.telemetry.influx_http import InfluxAddress
from cloud_api.telemetry.influx_store import InfluxStore
from contracts.reading import Clock, Quality, Reading, Sample, Value
from contracts.vocabulary import DAY_MS, METRICS
from tests.brokers import free_port
from tests.influxdb import InfluxServer, running_influx
from tests.integration.frames import T0, frame, opened, reading
from tests.integration.telemetry_store.engines import Refusals, fresh, open_duckdb, open_influx, refuse_nothing
from tests.processes import CloudApi

SOURCE = ("gw-1", "d")
ALWAYS = (0, 2**53)
METRIC_NAMES = ("temperature", "message_count", "water_leak", "spot_status", "tag_id", "voltage")


def random_frames(chance: random.Random, count: int) -> list[OpenFrame]:
    """Frames of one gateway with every type, gaps, doubts, equal times, times that go back."""

    def value(metric: str) -> Value:
        known = METRICS[metric]
        if known.type == "boolean":
            return chance.random() < 0.5
        if known.type == "enum":
            return chance.choice(known.members)
        if known.type == "text":
            return chance.choice(["", "a", "b,c", 'd"', "\\"])
        return chance.choice([chance.randrange(100), round(chance.gauss(20, 5), 2), chance.random()])

    def sample(metric: str) -> Sample:
        quality = chance.choice([Quality.GOOD] * 5 + [Quality.UNCERTAIN, Quality.BAD, Quality.SUBSTITUTED])
        gone = chance.random() < 0.1
        return Sample(metric, None if gone else value(metric), quality, "why" if quality else "")

    frames, before = [], 0
    for seq in range(1, count + 1):
        readings = []
        for _ in range(chance.randrange(60)):
            metrics = chance.sample(METRIC_NAMES, chance.randrange(1, 5))
            t_ms = T0 + chance.randrange(50) * 100
            readings.append(Reading(chance.choice("de"), t_ms, t_ms, Clock.DEVICE, tuple(map(sample, metrics))))
        frames.append(opened(seq, frame(seq, readings, before)))
        before += sum(len(each.samples) for each in readings)
    return frames


async def answers(store: TelemetryStore) -> dict[tuple[str, ...], object]:
    """Everything that the API could ask about random_frames."""
    found: dict[tuple[str, ...], object] = {}
    for device in "de":
        for metric in METRIC_NAMES:
            source, known = ("gw-1", device), METRICS[metric]
            found[device, metric] = [point[:3] for point in await store.series(source, metric, *ALWAYS, 100_000)]
            for aggregate in AGGREGATES if known.type == "number" else ("count", "last"):
                points = await store.steps(source, metric, T0 - 7, T0 + 4_003, 700, aggregate, 100)
                found[device, metric, aggregate] = [
                    (point.t_ms, pytest.approx(point.value) if aggregate in ("sum", "mean") else point.value, point[2])
                    for point in points
                ]
                cut = await store.steps(source, metric, T0 - 7, T0 + 4_003, 700, aggregate, 3)
                assert [point[:2] for point in cut] == [point[:2] for point in points[:3]]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_both_engines_answer_alike_also_after_replays(seed: int, influx: InfluxServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        frames = random_frames(random.Random(seed), 40)
        duckdb, store = await open_duckdb(tmp_path), await open_influx(fresh(influx))
        for at in range(0, len(frames), 7):
            await duckdb.apply(frames[at : at + 7])
            await store.apply(frames[at : at + 7])
        expected = await answers(duckdb)
        assert await answers(store) == expected
        for at in range(0, len(frames), 11):  # a cursor that was lost, and other batches than before
            await store.apply(frames[at : at + 11])
        assert await answers(store) == expected
        await store.reset()
        assert await store.cursor() == 0
        await store.apply(frames)
        assert await answers(store) == expected
        await duckdb.close()
        await store.close()

    asyncio.run(scenario())


def test_killed_in_the_middle_of_writes_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    count, each = 60, 500
    frames = [
        opened(seq, frame(seq, [reading("d", T0 + seq, message_count=seq * each + n) for n in range(each)], seq * each))
        for seq in range(1, count + 1)
    ]

    async def follow(store: InfluxStore, failures: list[str]) -> None:
        """As the runner does: after an error it asks where the store is."""
        cursor = -1
        while cursor < count:
            try:
                cursor = await store.cursor()
                while cursor < count:
                    await store.apply(frames[cursor : cursor + 3])
                    cursor = min(cursor + 3, count)
            except StoreAway as error:
                failures.append(str(error))
                cursor = -1
                await asyncio.sleep(0.05)

    with running_influx(tmp_path) as server:
        store, failures = InfluxStore(fresh(server), refuse_nothing), list[str]()
        done = threading.Event()

        def kills() -> None:
            chance = random.Random(5)
            for _ in range(4):
                if done.wait(chance.uniform(0.05, 0.3)):
                    return
                server.kill()
                server.start()

        killer = threading.Thread(target=kills)
        killer.start()

        async def scenario() -> None:
            await follow(store, failures)
            done.set()
            await asyncio.to_thread(killer.join)
            assert await store.cursor() == count
            points = await store.series(SOURCE, "message_count", *ALWAYS, 100_000)
            assert [point.value for point in points] == list(range(each, (count + 1) * each))
            await store.close()

        asyncio.run(scenario())
        assert failures, "no kill hit a write"


def direct(server: InfluxServer, address: InfluxAddress, line: str) -> None:
    """Write a line that is not ours."""
    client = InfluxDBClient("127.0.0.1", server.port)
    client.write(line, {"db": address.database, "precision": "ns"}, protocol="line")
    client.close()


def test_a_field_of_another_type_refuses_that_metric_alone(influx: InfluxServer) -> None:
    address = fresh(influx)

    async def scenario() -> None:
        refusals = Refusals()
        store = InfluxStore(address, refusals.add)
        assert await store.cursor() == 0
        # Somebody else's point: in this week temperature is a text, in the next one it is not.
        direct(influx, address, f'readings,device=x,gateway=y temperature="warm" {T0 * 1_000_000}')
        week = 7 * 86_400_000
        readings = [
            reading("d", T0 + 1, temperature=20.5, humidity=40),
            reading("d", T0 + 2, humidity=41, message_count=7),
            reading("e", T0 + 3, temperature=21.5, humidity=42),
            reading("d", T0 + week, temperature=22.5, humidity=43),
        ]
        for _ in range(2):  # again after a crash
            await store.apply([opened(1, frame(1, readings))])
        assert [p.value for p in await store.series(SOURCE, "temperature", *ALWAYS, 10)] == [22.5]
        assert [p.value for p in await store.series(SOURCE, "humidity", *ALWAYS, 10)] == [40, 41, 43]
        assert [p.value for p in await store.series(("gw-1", "e"), "humidity", *ALWAYS, 10)] == [42]
        assert await store.cursor() == 1
        first, again = refusals.found
        assert first == again
        gateway, refused = first
        assert (gateway, refused.topic, refused.reason, refused.count, refused.at_ms) == (
            "gw-1", "telemetry/d/temperature", "field_type_conflict", 2, T0 + 1,
        )  # fmt: skip
        assert refused.head.startswith(b"readings,device=d,gateway=gw-1 temperature=20.5 ")
        await store.close()

    asyncio.run(scenario())


def test_a_time_that_nanoseconds_cannot_hold_is_refused_alone(influx: InfluxServer) -> None:
    async def scenario() -> None:
        refusals = Refusals()
        store = InfluxStore(fresh(influx), refusals.add)
        await store.cursor()
        times = [T0, 2**44, 2**45, T0 + 1]
        await store.apply([opened(1, frame(1, [reading("d", t_ms, temperature=20.5) for t_ms in times]))])
        assert [p.t_ms for p in await store.series(SOURCE, "temperature", 0, 2**50, 10)] == [T0, T0 + 1]
        assert [(refused.reason, refused.count) for _, refused in refusals.found] == [("time_out_of_range", 2)]
        await store.close()

    asyncio.run(scenario())


def test_a_server_that_is_away_or_lost_its_disk(tmp_path: Path) -> None:
    async def scenario() -> None:
        with running_influx(tmp_path) as server:
            store = InfluxStore(fresh(server), refuse_nothing)
            assert await store.cursor() == 0
            frames: Sequence[OpenFrame] = [opened(1, frame(1, [reading("d", T0, temperature=20.5)]))]
            await store.apply(frames)
            server.kill()
            began = time.monotonic()
            for attempt in (
                store.cursor(),
                store.apply(frames),
                store.series(SOURCE, "temperature", *ALWAYS, 10),
                store.steps(SOURCE, "temperature", *ALWAYS, 60_000, "last", 10),
                store.reset(),
                store.prune(T0),
            ):
                with pytest.raises(StoreAway):
                    await attempt
            assert time.monotonic() - began < 5
            server.erase()
            server.start()
            with pytest.raises(StoreAway, match="database not found"):
                await store.apply(frames)
            assert await store.cursor() == 0
            await store.apply(frames)
            assert len(await store.series(SOURCE, "temperature", *ALWAYS, 10)) == 1
            await store.close()

    asyncio.run(scenario())


def test_signing_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        with running_influx(tmp_path, auth=True) as server:
            client = InfluxDBClient("127.0.0.1", server.port)
            client.query("CREATE USER linli WITH PASSWORD 'cloudy' WITH ALL PRIVILEGES", method="POST")
            client.close()
            for password, works in (("cloudy", True), ("wrong", False), ("", False)):
                store = InfluxStore(
                    InfluxAddress(server.url, "linli", "linli" if password else "", password), refuse_nothing
                )
                if works:
                    assert await store.cursor() == 0
                else:
                    with pytest.raises(StoreAway, match=r"authorization failed|unable to parse auth"):
                        await store.cursor()
                await store.close()

    asyncio.run(scenario())


def test_days_to_keep_are_kept_and_no_more(influx: InfluxServer) -> None:
    """What LINLI_TELEMETRY_KEEP_DAYS comes to, on the real server."""

    async def scenario() -> None:
        store = await open_influx(fresh(influx))
        old, new = T0 - 3 * DAY_MS, T0 - DAY_MS
        frames = [opened(1, frame(1, [reading("d", t_ms, temperature=20.5) for t_ms in (old, old + 1, new, T0)]))]
        await store.apply(frames)
        await store.prune(T0 - 2 * DAY_MS)
        found = await store.series(SOURCE, "temperature", *ALWAYS, 10)
        assert [point.t_ms for point in found] == [new, T0]
        assert await store.keeps_all() == ""
        await store.close()

    asyncio.run(scenario())


class Influx3(BaseHTTPRequestHandler):
    """Says that it is InfluxDB 3, as its documents show it: /ping with a version, and no statement that deletes."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path.startswith("/ping") else 400)
        self.send_header("X-Influxdb-Version", "3.4.1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library calls it so
        pass


def test_a_server_that_never_forgets_is_refused_when_days_are_set(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Influx3) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cloud = CloudApi(
            tmp_path, free_port(), LINLI_TELEMETRY_URL=f"http://127.0.0.1:{server.server_port}",
            LINLI_TELEMETRY_KEEP_DAYS="30",
        )  # fmt: skip
        cloud.start()
        try:
            assert cloud.process.wait(60) == 1
        finally:
            cloud.stop()
            server.shutdown()
    assert "LINLI_TELEMETRY_KEEP_DAYS = 30: InfluxDB 3 deletes nothing by a query" in cloud.log()
