"""Plays a data set at a gateway's broker, as fast as asked for, with a bounded number of unacknowledged messages."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import aiomqtt
import msgspec

from simulators.driver import Address
from simulators.replay.datasets import FIXTURES, readings_of, totals
from simulators.replay.fixtures import fixture_messages
from simulators.replay.readings import DataReading, DatasetError
from simulators.vendors import Message

__all__ = ["DatasetError", "message_of", "replay", "totals"]

UNACKNOWLEDGED_MAX = 100


def message_of(reading: DataReading) -> Message:
    """The ``linli/reading`` payload of a reading, with the time that the source gave it."""
    body = {"observed_at_ms": reading.observed_ms, "kind": reading.kind, "samples": reading.samples}
    return Message(f"linli-device/reading/{reading.device}", msgspec.json.encode(body))


def timed_messages(dataset: str, data_dir: Path, day: str | None) -> list[tuple[int, Message]]:
    """What is to be sent and when (ms after the first). Raises DatasetError."""
    if dataset == FIXTURES:
        return [(0, message) for message in fixture_messages(data_dir)]
    readings = readings_of(dataset, data_dir, day)
    first_ms = readings[0].observed_ms
    return [(reading.observed_ms - first_ms, message_of(reading)) for reading in readings]


async def replay(
    dataset: str, data_dir: Path, day: str | None, address: Address, speed: float | None, report: dict[str, float]
) -> None:
    """Publish all (QoS 1) and return when the broker has acknowledged all; ``report`` then says messages and seconds.

    speed  times real time; None: as fast as the broker takes it
    Raises DatasetError, and OSError when the broker is not there or goes away.
    """
    messages = timed_messages(dataset, data_dir, day)
    began_s = time.monotonic()
    try:
        async with aiomqtt.Client(
            address.host, address.port, timeout=30, max_inflight_messages=UNACKNOWLEDGED_MAX
        ) as client:
            client.pending_calls_threshold = UNACKNOWLEDGED_MAX  # many at once is what we want: no warning
            for batch in _batches(messages):
                if speed is not None:
                    due_s = began_s + batch[0][0] / 1000 / speed
                    await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                async with asyncio.TaskGroup() as tasks:  # paho sends in the order of these calls
                    for _, message in batch:
                        tasks.create_task(client.publish(message.topic, message.payload, qos=1))
    except* aiomqtt.MqttError as group:
        raise OSError(f"broker {address.host}:{address.port}: {group.exceptions[0]}") from group
    report.update(messages=len(messages), seconds=round(time.monotonic() - began_s, 3))


def _batches(messages: Iterable[tuple[int, Message]]) -> Iterator[list[tuple[int, Message]]]:
    """Runs of messages of one time, at most UNACKNOWLEDGED_MAX long; at full speed times do not matter much."""
    left = iter(messages)
    batch = list(islice(left, 1))
    for timed in left:
        if timed[0] - batch[0][0] > 1000 or len(batch) >= UNACKNOWLEDGED_MAX:
            yield batch
            batch = []
        batch.append(timed)
    if batch:
        yield batch
