"""The driver against real brokers: the console fills at once, orders are obeyed, a broker may go and come back."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiomqtt
import pytest

from simulators.communities import GATEWAYS, demo_devices
from tests.brokers import Broker, running_broker

REPOSITORY = Path(__file__).parents[3]
GATEWAY = GATEWAYS[0].id
DEADLINE_S = 20


@contextmanager
def _community(broker: Broker, ready: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "simulators.cli", "community", "--ready-file", str(ready), *options]
    process = subprocess.Popen([*command, "--gateway", f"{GATEWAY}=127.0.0.1:{broker.port}"], cwd=REPOSITORY)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


async def _topics(client: aiomqtt.Client, wanted: int) -> set[str]:
    seen: set[str] = set()
    async with asyncio.timeout(DEADLINE_S):
        async for message in client.messages:
            seen.add(message.topic.value)
            if len(seen) >= wanted:
                break
    return seen


async def _value(client: aiomqtt.Client, topic: str, field: str | None, wanted: object) -> None:
    async with asyncio.timeout(DEADLINE_S):
        async for message in client.messages:
            if message.topic.value == topic and isinstance(message.payload, bytes):
                document = json.loads(message.payload)
                if (document if field is None else document.get(field)) == wanted:
                    return


def test_all_devices_speak_at_once_and_orders_are_obeyed(tmp_path: Path) -> None:
    specs = [spec for spec in demo_devices() if spec.gateway == GATEWAY]
    pile = next(spec.id for spec in specs if spec.model == "openevse")
    barrier = next(spec.id for spec in specs if spec.model == "linli-barrier")
    scalars = 11 - 1  # OpenEVSE tells status and error in one topic
    wanted = sum({"openevse": scalars, "everest": 3}.get(spec.model, 1) for spec in specs)

    async def watch(broker: Broker) -> None:
        async with aiomqtt.Client("127.0.0.1", broker.port, identifier="watcher") as client:
            await client.subscribe("#", 1)
            with _community(broker, tmp_path / "ready", "--seed", "3", "--speed", "2") as process:
                began_s = time.monotonic()
                assert len(await _topics(client, wanted)) == wanted
                assert time.monotonic() - began_s < 10
                _wait_for(tmp_path / "ready")
                await client.publish(f"{pile}/claim/set", b'{"charge_current": 9}', 1)
                await _value(client, f"{pile}/pilot", None, 9)
                await client.publish(f"linli-device/barrier/{barrier}/set", b'{"barrier": "open"}', 1)
                await _value(client, f"linli-device/barrier/{barrier}/state", "barrier_state", "open")
                await client.publish(f"{pile}/claim/set", b"\xff not json", 1)
                await client.publish(f"{pile}/claim/set", b'{"charge_current": 11}', 1)
                await _value(client, f"{pile}/pilot", None, 11)
                process.send_signal(signal.SIGTERM)
                assert process.wait(DEADLINE_S) == 0

    with running_broker("nats-gateway", tmp_path / "broker") as broker:
        asyncio.run(watch(broker))


def test_a_broker_that_goes_and_comes_back_is_told_everything_again(tmp_path: Path) -> None:
    broker = Broker("nats-gateway", tmp_path / "broker")
    broker.start()
    try:
        with _community(broker, tmp_path / "ready") as process:
            _wait_for(tmp_path / "ready")
            broker.kill()
            broker.erase()
            broker.start()

            async def watch() -> None:
                async with aiomqtt.Client("127.0.0.1", broker.port, identifier="watcher") as client:
                    await client.subscribe("#", 1)
                    assert len(await _topics(client, 30)) == 30

            asyncio.run(watch())
            assert process.poll() is None
    finally:
        broker.stop()


@pytest.mark.skipif(not (REPOSITORY.parent / "shared" / "data").is_dir(), reason="the real data sets are not there")
def test_a_replayed_day_arrives_in_full(tmp_path: Path) -> None:
    data = REPOSITORY.parent / "shared" / "data"

    async def watch(broker: Broker) -> int:
        total = 0
        async with aiomqtt.Client("127.0.0.1", broker.port, identifier="watcher") as client:
            await client.subscribe("linli-device/reading/+", 1)
            command = [sys.executable, "-m", "simulators.cli", "replay", "parking_birmingham", "--json"]
            options = ["--day", "2016-10-05", "--data-dir", str(data), "--port", str(broker.port)]
            done = await asyncio.to_thread(
                subprocess.run, [*command, *options], cwd=REPOSITORY, capture_output=True, check=True, env=os.environ
            )
            assert json.loads(done.stdout)["messages"] == 432
            async with asyncio.timeout(DEADLINE_S):
                count = 0
                async for message in client.messages:
                    assert isinstance(message.payload, bytes)
                    total += json.loads(message.payload)["samples"]["occupied_spaces"]
                    count += 1
                    if count == 432:
                        break
        return total

    with running_broker("nats-gateway", tmp_path / "broker") as broker:
        assert asyncio.run(watch(broker)) == 283_040
