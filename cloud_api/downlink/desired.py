"""Publish each gateway's desired state, retained, whenever its version has grown."""

import asyncio

import msgspec

from cloud_api.downlink.link import Downlink
from contracts import topics
from device_registry import desired_states

LOOK_S = 1.0


async def publish_desired(downlink: Downlink) -> None:
    """One task of the program, until cancelled. After a start or a lost link everything is published once more:
    the broker may have lost its disk, and a version that a gateway has already applied changes nothing there."""
    published: dict[str, int] = {}
    session = 0
    while True:
        await downlink.connected.wait()
        if session != downlink.sessions:
            session = downlink.sessions
            published.clear()
        for gateway_id, document in await desired_states(published):
            if not await downlink.publish(topics.desired(gateway_id), msgspec.msgpack.encode(document), retain=True):
                break
            published[gateway_id] = document.version
        await asyncio.sleep(LOOK_S)
