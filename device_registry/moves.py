"""A device is taken to another gateway, or its gateway calls it by another id: it stays the device that it is."""

from device_registry.database import writing
from device_registry.desired import write_desired
from device_registry.devices import device
from device_registry.errors import Conflict
from device_registry.models import Device, Discovery, FormerSource
from device_registry.places import gateway

MOVES_MAX = 100
"""Of one device: each lookup of its history asks at every place where it was."""


async def move_device(
    device_id: str,
    gateway_id: str,
    now_ms: int,
    external_id: str = "",
    at_ms: int | None = None,
    replace: bool = False,
) -> Device:
    """What it said until ``at_ms`` at its old place and says from then on at the new one is its history.

    external_id  what the new gateway calls it; "" as the old one did
    at_ms        when it was moved, event time, ms UTC; None: now
    replace      a device that stands adopted at the new place is this one, seen there since it was moved: it goes. One that
                 waits to be adopted goes in any case
    Both gateways' desired states are written in the same change. Topics that were bound to it at the old gateway are bound
    no longer. May be repeated. Raises NotFound (device, gateway), Conflict (it waits to be adopted; another community or
    kind; the place is taken, or was another's then; a time that is not between its last move and now).
    """
    async with writing():
        row = await device(device_id)
        there = await gateway(gateway_id)
        place = gateway_id, external_id or row.external_id
        moved_ms = now_ms if at_ms is None else at_ms
        if (row.gateway_id, row.external_id) == place:
            return row
        if row.status != "adopted":
            raise Conflict(f"device {device_id!r} waits to be adopted; adopt it where it is")
        if there.community_id != row.community_id:
            raise Conflict(
                f"gateway {gateway_id!r} belongs to {there.community_id!r}, the device to {row.community_id!r}"
            )
        if not row.since_ms < moved_ms <= now_ms:
            raise Conflict(
                f"at_ms {moved_ms} must lie after its last move ({row.since_ms}) and not after now ({now_ms})"
            )
        if await FormerSource.filter(device_id=device_id).count() >= MOVES_MAX:
            raise Conflict(f"device {device_id!r} was moved {MOVES_MAX} times already")
        if await FormerSource.exists(gateway_id=gateway_id, external_id=place[1], to_ms__gt=moved_ms):
            raise Conflict(f"at {moved_ms} another device was {place[1]!r} at {gateway_id!r} still")
        await _take_over(row, await Device.get_or_none(gateway_id=gateway_id, external_id=place[1]), replace)
        await FormerSource.create(
            device_id=device_id, gateway_id=row.gateway_id, external_id=row.external_id,
            from_ms=row.since_ms, to_ms=moved_ms,
        )  # fmt: skip
        before = row.gateway_id
        row.gateway_id, row.external_id = place
        row.since_ms = moved_ms
        if gateway_id != before:
            await Discovery.filter(device_id=device_id, status="adopted").update(status="open", device_id="")
            row.topics = []
        await row.save()
        for changed in {before, gateway_id}:
            await write_desired(changed, now_ms)
        return row


async def _take_over(row: Device, other: Device | None, replace: bool) -> None:
    """The device at the new place, if any, goes: what its gateway said of it is this one's from now on."""
    if other is None:
        row.seen_ms = 0  # whatever the new gateway says of it is news
        return
    if other.status == "adopted" and not replace:
        raise Conflict(f"the place is taken by device {other.id!r}; with replace it goes, if it is this one")
    if other.kind != row.kind:
        raise Conflict(f"what speaks there is {other.kind}, this device is {row.kind}")
    if other.topics or await FormerSource.exists(device_id=other.id):
        raise Conflict(f"device {other.id!r} has topics or a history of its own there: it can't be this one")
    row.profile, row.profile_version, row.verbs = other.profile, other.profile_version, other.verbs
    row.seen_ms = other.seen_ms
    await Device.filter(place_id=other.id).update(place_id="")
    await other.delete()
