"""Publish each gateway's desired state, signed and retained, whenever its version has grown."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from cloud_api.signing import Seal
from contracts import topics
from contracts.messages import DESIRED_BYTES_MAX
from device_registry import DatabaseUnavailable, Sign, database_errors, desired_states, outgrow_applied

log = logging.getLogger(__name__)

LOOK_S = 1.0
AGAIN_LOOKS = 60
"""After so many looks everything is published once more: the broker may have lost its disk. A version that a gateway
has already applied changes nothing there."""


class Publish(Protocol):
    """Publishes with QoS 1. Returns whether the broker has taken it."""

    async def __call__(self, topic: str, payload: bytes, retain: bool = False) -> bool: ...


async def publish_desired(publish: Publish, sign: Sign, seal: Seal, applied: Callable[[str], int]) -> None:
    """One task of the program, until cancelled. applied: gateway -> the version that it says it uses, 0 not known."""
    published: dict[str, int] = {}
    looks = 0
    while True:
        try:
            with database_errors():
                for gateway_id, version in (await outgrow_applied(applied)).items():
                    log.warning(
                        "desired state was behind its gateway", extra={"gateway": gateway_id, "version": version}
                    )
                changed = await desired_states(published, sign)
        except DatabaseUnavailable as error:
            log.error("desired state stands still", extra={"error": str(error)})
            changed = []
        for gateway_id, document in changed:
            payload = seal(document)
            if len(payload) > DESIRED_BYTES_MAX:
                # The registry makes no such one any more; the broker would end our session, and with it everybody's.
                size = {"gateway": gateway_id, "bytes": len(payload), "bytes_max": DESIRED_BYTES_MAX}
                log.error("a desired state is too large, it is not published", extra=size)
            elif not await publish(topics.desired(gateway_id), payload, retain=True):
                break  # the broker is not there: what is left goes with the next look
            published[gateway_id] = document.version
        looks += 1
        if looks % AGAIN_LOOKS == 0:
            published.clear()
        await asyncio.sleep(LOOK_S)
