"""Figures that take a question to a database: asked now and then, a gateway at a time, so that nobody waits for them."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping

from cloud_api.commands import count_open
from cloud_api.framelog import FrameLog
from cloud_api.ingest import GatewayPresence
from cloud_api.ledger import LedgerBook, gateway_ledger
from device_registry import DatabaseUnavailable, database_errors

log = logging.getLogger(__name__)

ROUND_S = 15.0
"""Between two rounds."""
STEP_S = 0.05
"""Between two gateways: their ledgers are read by the thread that also commits frames."""


class Survey:
    """What the last round found. unexplained: gateway -> samples; dropped: reason -> samples; commands: state -> open ones."""

    def __init__(self, framelog: FrameLog, ledger: LedgerBook, presence: GatewayPresence) -> None:
        self.unexplained: Mapping[str, int] = {}
        self.dropped: Mapping[str, int] = {}
        self.commands: Mapping[str, int] = {}
        self._framelog = framelog
        self._ledger = ledger
        self._presence = presence

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            try:
                await self._round()
            except (DatabaseUnavailable, OSError) as error:
                log.warning("a round of the survey was given up", extra={"error": str(error)})
                await asyncio.sleep(ROUND_S)

    async def _round(self) -> None:
        with database_errors():
            self.commands = await count_open()
        gateways = self._presence.known()
        unexplained: dict[str, int] = {}
        dropped: Counter[str] = Counter()
        for gateway in gateways:
            state = self._presence.state(gateway)  # before the log: what it acked by then is there
            found = await gateway_ledger(gateway, self._framelog, self._ledger, state)
            unexplained[gateway] = sum(lane.ledger.unexplained for lane in found.lanes)
            for lane in found.lanes:
                for drop in lane.drops:
                    dropped[drop.reason] += drop.samples
            await asyncio.sleep(STEP_S)
        self.unexplained, self.dropped = unexplained, dropped
        await asyncio.sleep(ROUND_S)
