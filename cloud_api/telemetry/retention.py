"""Forget telemetry that is older than people want to keep it."""

import asyncio
import logging
from collections.abc import Callable

from cloud_api.telemetry.store import TelemetryStore
from contracts.vocabulary import DAY_MS

log = logging.getLogger(__name__)

PRUNE_EVERY_S = 3_600.0


async def keep_days(store: TelemetryStore, days: int, clock: Callable[[], int]) -> None:
    """Prune now and every hour until cancelled; with 0 days everything is kept. A store that is away is asked later."""
    while days:
        try:
            await store.prune(clock() - days * DAY_MS)
        except OSError as error:
            log.warning("old telemetry is still kept", extra={"error": str(error)})
        await asyncio.sleep(PRUNE_EVERY_S)
