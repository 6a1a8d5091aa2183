"""Gateways' identity in the running cloud: the authority, what a new gateway is told, and whom the broker lets in."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import Counter

from cloud_api.broker_access import write_access
from cloud_api.identity.attempts import Attempts
from cloud_api.identity.authority import GatewayAuthority
from cloud_api.identity.certificates import Access, access, shut_out
from device_registry import UNAVAILABLE

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""Another process may have changed it."""
PACE_S = 0.1
"""Many who come in together are written together."""
LIST_AGAIN_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class GatewayIdentity:
    """What provisioning needs.

    broker_authority  PEM of the authority by which a gateway checks the broker; mqtt_host, mqtt_port: where it is
    changed           set when somebody comes in or is shut out
    """

    authority: GatewayAuthority
    broker_authority: str
    mqtt_host: str
    mqtt_port: int
    attempts: Attempts = field(default_factory=Attempts)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    refused: Counter = field(
        default_factory=lambda: Counter("linli_claims_refused", "Claims refused, by reason", ["reason"], registry=None)
    )


class ShutOut:
    """Which gateways' frames ingest refuses: those whose every certificate is revoked. Looked up every few seconds."""

    def __init__(self) -> None:
        self.gateways: frozenset[str] = frozenset()

    async def follow(self, tell: Callable[[str], None]) -> None:
        """Until cancelled; ``tell`` hears of each that is shut out. While the database is away, what was known last holds."""
        while True:
            try:
                known = await shut_out()
            except UNAVAILABLE as error:
                log.warning("who is shut out can't be looked up", extra={"error": str(error)})
            else:
                for gateway in known - self.gateways:
                    log.warning("gateway is shut out", extra={"gateway": gateway})
                    tell(gateway)
                self.gateways = known
            await asyncio.sleep(LOOK_S)


async def keep_broker_access(identity: GatewayIdentity, folder: Path, clock: Callable[[], int]) -> None:
    """Keep what the broker reads in ``folder`` as the registry says, until cancelled.

    Whoever has started the broker sends it a SIGHUP when one of the files changes.
    """
    written: tuple[Access, int] | None = None
    while True:
        identity.changed.clear()
        try:
            now_ms = clock()
            wanted = await access(now_ms)
            if written is None or written[0] != wanted or now_ms - written[1] > LIST_AGAIN_MS:
                await asyncio.to_thread(write_wanted, identity.authority, folder, wanted, now_ms)
                written = wanted, now_ms
                log.info("broker access", extra={"gateways": len(wanted.gateways), "revoked": len(wanted.revoked)})
        except (*UNAVAILABLE, OSError) as error:
            log.error("the broker's access list can't be written", extra={"error": str(error)})
        await asyncio.sleep(PACE_S)
        try:
            async with asyncio.timeout(LOOK_S):
                await identity.changed.wait()
        except TimeoutError:
            pass


def write_wanted(authority: GatewayAuthority, folder: Path, wanted: Access, now_ms: int) -> None:
    """Write the broker's files. Raises OSError."""
    revoked = authority.revocation_list(wanted.revoked, now_ms // 1000, now_ms)
    write_access(folder, wanted.gateways, wanted.holding, revoked)
