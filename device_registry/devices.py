"""Devices: find them, name them, move them to another facility."""

from typing import NamedTuple

from tortoise.expressions import Q

from device_registry.database import writing
from device_registry.desired import write_desired
from device_registry.errors import Conflict, NotFound
from device_registry.models import Device, Facility
from device_registry.names import Name
from device_registry.scope import visible


class DeviceFilter(NamedTuple):
    """Which devices: "" means any."""

    community: str = ""
    facility: str = ""
    kind: str = ""
    gateway: str = ""
    external_id: str = ""
    device: str = ""
    status: str = ""
    q: str = ""


async def device(device_id: str) -> Device:
    """One device. Raises NotFound."""
    row = await visible(Device).get_or_none(id=device_id)
    if row is None:
        raise NotFound("device", device_id)
    return row


async def devices(where: DeviceFilter, after: str = "", limit: int | None = None) -> list[Device]:
    """Devices in the order of their ids, after ``after``, at most ``limit``."""
    wanted = {
        "community_id": where.community,
        "facility_id": where.facility,
        "kind": where.kind,
        "gateway_id": where.gateway,
        "external_id": where.external_id,
        "id": where.device,
        "status": where.status,
    }
    rows = visible(Device).filter(id__gt=after, **{key: value for key, value in wanted.items() if value}).order_by("id")
    if where.q:
        q = where.q
        rows = rows.filter(Q(id=q) | Q(name_zh__icontains=q) | Q(name_en__icontains=q) | Q(external_id__icontains=q))
    return await (rows.limit(limit) if limit is not None else rows)


async def change_device(
    device_id: str,
    now_ms: int,
    name: Name | None = None,
    facility_id: str | None = None,
    parameters: dict[str, float] | None = None,
    place_id: str | None = None,
) -> Device:
    """Change what a person may: its name, its facility (of its community and kind), its parameters, a charger's place.

    place_id  a parking device of the same community; "" for none
    Raises NotFound (device, facility, place), Conflict (a facility or place of another community or kind).
    """
    async with writing():
        row = await device(device_id)
        if name is not None:
            row.name_zh, row.name_en, row.named_by = name.zh, name.en, "person"
        if facility_id is not None:
            facility = await visible(Facility).get_or_none(id=facility_id)
            if facility is None:
                raise NotFound("facility", facility_id)
            if (facility.community_id, facility.kind) != (row.community_id, row.kind):
                raise Conflict(f"facility {facility_id!r} is {facility.kind} of {facility.community_id!r}")
            row.facility_id = facility_id
        if place_id:
            place = await device(place_id)
            if (row.kind, place.kind, place.community_id) != ("charging", "parking", row.community_id):
                raise Conflict(
                    f"device {place_id!r} is {place.kind} of {place.community_id!r}; a charger needs a place"
                )
        if place_id is not None:
            row.place_id = place_id
        if parameters is not None:
            row.parameters = parameters
        await row.save()
        if parameters is not None and row.status == "adopted":
            await write_desired(row.gateway_id, now_ms)
        return row
