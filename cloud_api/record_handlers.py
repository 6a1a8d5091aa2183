"""Who keeps which record of the book."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import device_registry as registry
from cloud_api.charging import transaction_fault, transaction_said
from cloud_api.commands import Commands
from cloud_api.identity.renewals import Renewals
from cloud_api.ledger import LedgerBook
from cloud_api.quarantine import Quarantine
from contracts.messages import (
    CertificateWanted,
    ChargingTransaction,
    CommandProgress,
    DeviceSeen,
    Discovered,
    Dropped,
    Recovered,
    Refused,
    Reported,
)


def devices_handler(
    quarantine: Quarantine, clock: Callable[[], int], adopt: bool
) -> Callable[[str, Sequence[DeviceSeen]], Awaitable[None]]:
    """Who keeps the inventory, many sightings at once: each write of the desired state names all devices."""

    async def devices_seen(gateway: str, sightings: Sequence[DeviceSeen]) -> None:
        good = []
        for seen in sightings:
            if fault := registry.sighting_fault(seen):
                refused = Refused(
                    topic="device_seen", reason=fault, detail=seen.device[:100], size_bytes=0, at_ms=seen.at_ms
                )
                await quarantine.device_refused(gateway, refused)
            else:
                good.append(seen)
        if good:
            with registry.database_errors():
                await registry.devices_seen(gateway, good, clock(), adopt)

    return devices_seen


def record_handlers(
    commands: Commands, ledger: LedgerBook, quarantine: Quarantine, renewals: Renewals
) -> Mapping[type, Callable[..., Awaitable[None]]]:
    """Who keeps which other record of the book. Each is idempotent; on an OSError the book stands still and tries again."""

    async def command_progress(gateway: str, progress: CommandProgress) -> None:
        with registry.database_errors():
            await commands.gateway_said(gateway, progress)

    async def reported(gateway: str, report: Reported) -> None:
        with registry.database_errors():
            await registry.reported(gateway, report)

    async def discovered(gateway: str, found: Discovered) -> None:
        if fault := registry.discovery_fault(found):
            refused = Refused(
                topic="discovered", reason=fault, detail=found.topic[:100], size_bytes=0, at_ms=found.at_ms
            )  # fmt: skip
            await quarantine.device_refused(gateway, refused)
            return
        with registry.database_errors():
            await registry.discovered(gateway, found)

    async def recovered(gateway: str, word: Recovered) -> None:
        with registry.database_errors():
            await registry.recovered(gateway, word)

    async def charging_transaction(gateway: str, said: ChargingTransaction) -> None:
        fault = transaction_fault(said)
        if not fault:
            with registry.database_errors():
                await transaction_said(gateway, said)
            return
        detail = f"{said.transaction[:60]} {said.device[:60]}"
        refused = Refused(topic="charging_transaction", reason=fault, detail=detail, size_bytes=0, at_ms=said.at_ms)
        await quarantine.device_refused(gateway, refused)

    return {
        CertificateWanted: renewals.wanted,
        Recovered: recovered,
        ChargingTransaction: charging_transaction,
        CommandProgress: command_progress,
        Discovered: discovered,
        Refused: quarantine.device_refused,
        Dropped: ledger.dropped,
        Reported: reported,
    }
