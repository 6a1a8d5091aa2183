"""What is measured. Each function is one run and returns figures by the names of docs/benchmarks.json."""

import asyncio
import json
import random
import statistics
import threading
import time
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec

from contracts import topics
from contracts.frame import encode_frame
from contracts.messages import FrameAck
from contracts.reading import Clock, Reading, Sample
from edge_agent.profiles import SHIPPED, ProfileSet
from tests.bench import influx
from tests.bench.load import PROFILE, RawPublisher, payloads
from tests.brokers import running_broker
from tests.processes import CloudApi, Site, running_site, wait_for

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "vendor_payloads"
WARM_UP = 2_000
BACKLOG_READINGS = 100_000
CLOUD_FRAMES, CLOUD_READINGS = 600, 500
CLOUD_WINDOW = 128


def status(site: Site) -> dict[str, Any]:
    """The agent's status."""
    return wait_for(site.agent.status, "the agent's status")


def drain(folder: Path) -> dict[str, float]:
    """The link is away while a large backlog grows; then: first fresh data, and how fast the backlog drains."""
    with running_site(folder, LINLI_PROFILES=str(PROFILE)) as site:
        publisher = RawPublisher(site.local_broker.port)
        publisher.publish_all(payloads(WARM_UP))
        wait_for(lambda: len(site.cloud.get("devices", limit=1000)["items"]) >= 100, "the devices to be known", 60, 0.2)
        all_taken = WARM_UP + BACKLOG_READINGS
        sender = site.cloud.device(f"dev-{all_taken % 100:03d}")
        assert sender is not None
        state = f"devices/{sender['id']}/state"
        site.cloud_broker.kill()
        publisher.publish_all(payloads(BACKLOG_READINGS, first=WARM_UP))
        wait_for(lambda: status(site)["counters"]["readings"] >= all_taken, "the backlog", 60, 0.1)
        grown_mb = site.agent.resident_mb()
        began = time.monotonic()
        site.cloud_broker.start()
        publisher.publish_all(payloads(1, first=all_taken))
        first_s: float | None = None
        link_s: float | None = None

        def drained() -> bool:
            nonlocal link_s, first_s
            now = status(site)
            if link_s is None and now["cloud"]["ingest_online"]:
                link_s = time.monotonic()
            if first_s is None and site.cloud.get(state)["metrics"]["message_count"]["value"] == all_taken:
                first_s = time.monotonic() - began
            return bool(first_s and now["gauges"]["buffered_samples"] == 0)

        wait_for(drained, "the backlog to drain", 60, 0.02)
        assert first_s is not None
        took_s = time.monotonic() - (link_s or began)
        publisher.close()
        return {
            "first_data_s": first_s,
            "drain_readings_per_s": BACKLOG_READINGS / took_s,
            "edge_rss_after_backlog_mb": grown_mb,
        }


@cache
def cloud_readings() -> list[Reading]:
    """What the cloud and its peer take: readings of 200 devices."""
    chance = random.Random(7)
    readings, at_ms = [], time.time_ns() // 1_000_000 - 600_000
    for number in range(CLOUD_FRAMES * CLOUD_READINGS):
        at_ms += chance.choice([0, 0, 1, 1, 2])
        readings.append(
            Reading(f"dev-{chance.randrange(200):03d}", at_ms, at_ms, Clock.GATEWAY, (
                Sample("message_count", number), Sample("temperature", round(chance.gauss(20, 3), 1)),
                Sample("humidity", round(chance.uniform(30, 60), 1)),
                Sample("battery_voltage", round(chance.gauss(3.3, 0.05), 3)),
            ))
        )  # fmt: skip
    return readings


@cache
def cloud_frames() -> list[bytes]:
    """The readings as the frames of one gateway, as its outbox makes them."""
    readings = cloud_readings()
    frames = []
    for seq in range(1, CLOUD_FRAMES + 1):
        part = readings[(seq - 1) * CLOUD_READINGS : seq * CLOUD_READINGS]
        before = 4 * CLOUD_READINGS * (seq - 1)
        born_ms = part[-1].received_ms
        frames.append(encode_frame("gw-bench", "0123456789abcdef", "bulk", seq, born_ms, before, part, []))
    return frames


def cloud(folder: Path) -> dict[str, float]:
    """Frames in → logged, stored and queryable, on two cores with the broker; and the same values into InfluxDB."""
    frames = cloud_frames()
    values = CLOUD_FRAMES * CLOUD_READINGS * 4
    with running_broker("nats-cloud", folder / "broker") as broker:
        api = CloudApi(folder / "cloud", broker.port)
        api.start()
        try:
            api.wait_ready()

            async def send() -> None:
                # As a gateway does: so many frames may be unacknowledged by the cloud. More of one gateway are not taken.
                async with aiomqtt.Client("127.0.0.1", broker.port, max_inflight_messages=200) as client:
                    client.pending_calls_threshold = 200
                    await client.subscribe(topics.ack("gw-bench"))
                    gate = asyncio.Semaphore(CLOUD_WINDOW)

                    async def acknowledged() -> None:
                        held = 0
                        async for message in client.messages:
                            assert isinstance(message.payload, bytes)
                            ranges = msgspec.msgpack.decode(message.payload, type=FrameAck).ranges
                            newest = max((last for _, last in ranges), default=0)
                            for _ in range(held, newest):
                                gate.release()
                            held = max(held, newest)
                            if held >= len(frames):
                                return

                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(acknowledged())
                        for payload in frames:
                            await gate.acquire()
                            tasks.create_task(client.publish(topics.up("gw-bench", "bulk"), payload, qos=1))

            began = time.monotonic()
            asyncio.run(send())
            wait_for(lambda: _position(api, "telemetry") >= CLOUD_FRAMES, "telemetry to hold everything", 60, 0.01)
            took_s = time.monotonic() - began
        finally:
            api.stop()
        store = (folder / "cloud" / "data" / "telemetry.duckdb").stat().st_size
        log = (folder / "cloud" / "data" / "framelog.sqlite").stat().st_size
        (folder / "influx").mkdir()
        by_way = influx.values_per_s(folder / "influx", cloud_readings())
        return {
            "cloud_values_per_s": values / took_s,
            "influx_values_per_s": max(by_way.values()),
            "cloud_ratio_to_influx": values / took_s / max(by_way.values()),
            **{f"influx_{way}_values_per_s": found for way, found in by_way.items()},
            "disk_bytes_per_value": store / values,
            "frame_log_bytes_per_value": log / values,
        }


def _position(api: CloudApi, projection: str) -> float:
    with urllib.request.urlopen(f"{api.url}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("linli_projection_cursor") and f'"{projection}"' in line:
                return float(line.rsplit(" ", 1)[1])
    return 0


def live(folder: Path, rate: int = 2_000, seconds: int = 8) -> dict[str, float]:
    """Sensor's publish → the browser's event, at a steady rate; the newest value of each of 200 devices counts."""
    with running_site(folder, LINLI_PROFILES=str(PROFILE)) as site:
        count = rate * seconds
        messages = payloads(count, devices=200)
        warm = RawPublisher(site.local_broker.port)
        warm.publish_all(messages[:400])
        wait_for(lambda: len(site.cloud.get("devices", limit=1000)["items"]) >= 200, "200 devices", 20)
        time.sleep(2.5)  # the stream looks for new devices every two seconds
        sent: dict[int, float] = {}
        delays: list[float] = []
        stop = threading.Event()

        def listen() -> None:
            with site.cloud.ask("live", timeout_s=30) as stream:
                ready.set()
                kind = b""
                for line in stream:
                    if stop.is_set():
                        return
                    if line.startswith(b"event: "):
                        kind = line[7:].strip()
                    elif line.startswith(b"data: ") and kind == b"state":
                        at = time.monotonic()
                        counter = json.loads(line[6:])["metrics"].get("message_count")
                        if counter and counter["value"] in sent:
                            delays.append(at - sent[counter["value"]])

        ready = threading.Event()
        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        ready.wait(10)
        began = time.monotonic()
        for number, message in enumerate(messages):
            ahead = number / rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
            sent[number] = time.monotonic()
            warm.send_one(message, number)
        time.sleep(1)
        stop.set()
        warm.close()
        assert len(delays) > 200, "the stream told too little"
        return {
            "live_p99_ms": statistics.quantiles(delays, n=100)[98] * 1000,
            "live_median_ms": statistics.median(delays) * 1000,
        }


def decode(folder: Path) -> dict[str, float]:
    """Microseconds a message, the median over all vendors' fixtures, through all shipped profiles."""
    profiles = ProfileSet.load([SHIPPED])
    now_ms = time.time_ns() // 1_000_000
    costs = []
    for path in sorted(FIXTURES.glob("*.json")):
        case = json.loads(path.read_text())
        body = case["payload"]
        if case["payload_encoding"] == "json":
            payload = json.dumps(body, separators=(",", ":")).encode()
        else:
            payload = body.encode() if case["payload_encoding"] == "text" else bytes.fromhex(body)
        profiles.decode(case["topic"], payload, now_ms)
        began = time.perf_counter()
        for _ in range(300):
            profiles.decode(case["topic"], payload, now_ms)
        costs.append((time.perf_counter() - began) / 300 * 1e6)
    return {"decode_us_median": statistics.median(costs)}
