"""Who keeps which record of the book."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from prometheus_client import Counter

import device_registry as registry
from cloud_api.audit import AuditLog, Draft
from cloud_api.charging import transaction_fault, transaction_said
from cloud_api.commands import Commands
from cloud_api.identity.renewals import Renewals
from cloud_api.ledger import LedgerBook
from cloud_api.quarantine import Quarantine
from contracts import topics
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

log = logging.getLogger(__name__)

REFUSALS = frozenset({
    "signature_missing", "signature_wrong", "key_unknown", "no_cloud_key", "for_another_gateway", "version_older",
})  # fmt: skip
"""Why a gateway does not take what came to it in our name: contracts.signature and edge_agent.downlink."""


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


def refused_handler(
    commands: Commands, quarantine: Quarantine, audit: AuditLog, clock: Callable[[], int], alarms: Counter
) -> Callable[[str, Refused], Awaitable[None]]:
    """Who keeps what gateways refused. When it came in our name, somebody else speaks there, or our key is not theirs.

    alarms  counted then, by reason
    """

    async def refused(gateway: str, word: Refused) -> None:
        ours = word.topic in (topics.command(gateway), topics.desired(gateway))
        if ours and not await quarantine.holds(gateway, word):  # the book may be made again, the audit not
            reason = word.reason if word.reason in REFUSALS else "other"
            log.error("security: a gateway refused what came in our name", extra={"gateway": gateway, "reason": reason})
            alarms.labels(reason).inc(max(1, word.count))
            with registry.database_errors():
                await commands.refused_by_gateway(gateway, word.detail, reason)
                community = await registry.community_of_gateway(gateway)
            details = {"reason": reason, "detail": word.detail[:200], "count": word.count, "gateway_ms": word.at_ms}
            await audit.append(
                Draft(clock(), f"gateway:{gateway}", "gateway_refused", word.topic, community, "refused", details)
            )
        await quarantine.device_refused(gateway, word)

    return refused


def record_handlers(
    commands: Commands,
    ledger: LedgerBook,
    quarantine: Quarantine,
    renewals: Renewals,
    refused: Callable[[str, Refused], Awaitable[None]],
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
        Refused: refused,
        Dropped: ledger.dropped,
        Reported: reported,
    }
