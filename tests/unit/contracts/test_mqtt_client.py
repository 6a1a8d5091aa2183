"""A wait that is cancelled in the moment in which it ends is cancelled."""

import asyncio

import pytest

from contracts.mqtt_client import MqttClient


@pytest.mark.parametrize("turns", range(4))
def test_a_cancellation_is_never_lost(turns: int) -> None:
    async def run() -> None:
        client = MqttClient("nowhere.invalid")
        puback = asyncio.Event()
        task = asyncio.create_task(client._wait_for(puback.wait(), 5))
        for _ in range(3):
            await asyncio.sleep(0)
        puback.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.done():
            return  # it had gone on already
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
