"""The desired state: one versioned document a gateway, made from its adopted devices and its site's charging."""

from collections.abc import Callable, Collection, Mapping

import msgspec

from contracts.messages import (
    DESIRED_BYTES_MAX,
    DesiredCharging,
    DesiredDevice,
    DesiredProfile,
    DesiredState,
    Reported,
)
from device_registry.database import writing
from device_registry.errors import DesiredTooLarge
from device_registry.models import Desired, Device, FormerSource, Gateway, ProfileVersion, SiteCharging

AWAY_MAX = 1_000
VERSION_MAX = 2**53
"""What a gateway says beyond that is not believed."""
Sign = Callable[[str, int, bytes], DesiredProfile]
"""(profile id, version, document) -> the profile as it travels."""


def _unsigned(profile: str, version: int, document: bytes) -> DesiredProfile:
    """A profile as large as the signed one."""
    return DesiredProfile(profile=profile, version=version, digest=bytes(32), signature=bytes(64), document=document)


async def _keep(row: Desired) -> None:
    """Raises DesiredTooLarge."""
    size = len(msgspec.msgpack.encode(await _document(row, _unsigned)))
    if size > DESIRED_BYTES_MAX:
        raise DesiredTooLarge(row.gateway_id, size, DESIRED_BYTES_MAX)
    await row.save()


async def write_desired(gateway_id: str, now_ms: int) -> None:
    """Make the gateway's document again; its version grows only when it really changed. Call within a transaction.

    Raises DesiredTooLarge, with nothing written.
    """
    rows = await Device.filter(gateway_id=gateway_id, status="adopted").order_by("external_id")
    devices = [
        {"device": row.external_id, "profile": row.profile, "parameters": row.parameters}
        | ({"topics": row.topics} if row.topics else {})
        for row in rows
    ]
    site = await SiteCharging.get_or_none(gateway_id=gateway_id)
    charging = site.charging if site is not None else None
    current = await Desired.get_or_none(gateway_id=gateway_id)
    row = current or Desired(gateway_id=gateway_id, version=0, profiles={})
    if current is None or (row.devices, row.charging) != (devices, charging):
        row.version += 1
        row.devices, row.charging, row.changed_ms = devices, charging, now_ms
        await _keep(row)


async def write_profiles(gateway_id: str, profiles: Mapping[str, int], now_ms: int) -> None:
    """Profile id -> version that the gateway is to read with. Call within a transaction. Raises DesiredTooLarge."""
    current = await Desired.get_or_none(gateway_id=gateway_id)
    row = current or Desired(gateway_id=gateway_id, version=0, devices=[])
    if current is None or row.profiles != profiles:
        row.version += 1
        row.profiles, row.changed_ms = dict(profiles), now_ms
        await _keep(row)


async def desired_states(after_version: dict[str, int], sign: Sign) -> list[tuple[str, DesiredState]]:
    """The documents, with their gateway, that are newer than what was published (gateway -> version)."""
    changed = []
    for gateway_id, version in await Desired.all().order_by("gateway_id").values_list("gateway_id", "version"):
        if version > after_version.get(gateway_id, 0):
            changed.append((gateway_id, await _document(await Desired.get(gateway_id=gateway_id), sign)))
    return changed


async def _document(row: Desired, sign: Sign) -> DesiredState:
    devices = [DesiredDevice(**device) for device in row.devices]
    profiles = []
    for name, number in sorted(row.profiles.items()):
        kept = await ProfileVersion.get(profile=name, version=number)
        profiles.append(sign(name, number, kept.document.encode()))
    charging = msgspec.convert(row.charging, DesiredCharging) if row.charging else None
    away = await _away(row.gateway_id, {device.device for device in devices})
    return DesiredState(
        version=row.version, devices=devices, profiles=profiles, charging=charging, away=away, gateway=row.gateway_id
    )


async def _away(gateway_id: str, here: Collection[str]) -> dict[str, int]:
    """External id -> when its device was moved away, of the last AWAY_MAX whose place no adopted device has taken since."""
    former = FormerSource.filter(gateway_id=gateway_id).order_by("-to_ms").limit(AWAY_MAX)
    moves = [move for move in await former.values_list("external_id", "to_ms") if move[0] not in here]
    return dict(reversed(moves))  # of several moves the last


async def outgrow_applied(applied: Callable[[str], int]) -> dict[str, int]:
    """Raise the versions of documents that are behind what their gateway has applied: gateways refuse older ones.

    That is so after a restore from a backup that is older than the gateway's document. Returns what was raised, and to what.
    """
    raised = {}
    for gateway_id, version in await Desired.all().values_list("gateway_id", "version"):
        if version < (used := applied(gateway_id)) < VERSION_MAX:
            async with writing():
                await Desired.filter(gateway_id=gateway_id, version__lt=used).update(version=used + 1)
            raised[str(gateway_id)] = used + 1
    return raised


async def desired_versions(gateway_ids: list[str]) -> dict[str, int]:
    """Gateway -> version of its document; one without a document is left out."""
    return dict(await Desired.filter(gateway_id__in=gateway_ids).values_list("gateway_id", "version"))


async def reported(gateway_id: str, report: Reported) -> None:
    """Note which version a gateway applied, or why it did not. Older reports than the last one change nothing."""
    row = await Gateway.get_or_none(id=gateway_id)
    if row is None or report.at_ms < row.reported_ms:
        return
    row.reported_ms, row.reported_reason = report.at_ms, report.reason[:200]
    row.refused = {name[:120]: why[:500] for name, why in list(report.refused.items())[:64]}
    if report.applied:
        row.reported_version = report.version
    await row.save(update_fields=["reported_ms", "reported_reason", "reported_version", "refused"])
