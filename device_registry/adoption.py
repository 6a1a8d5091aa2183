"""From what a gateway has seen to a device in the registry."""

from contracts.messages import DeviceSeen
from contracts.vocabulary import KINDS
from device_registry.database import writing
from device_registry.desired import write_desired
from device_registry.errors import NotFound
from device_registry.ids import device_id as id_of
from device_registry.ids import facility_id
from device_registry.models import Device, Facility, Gateway, Profile, Sighting
from device_registry.names import FACILITY_NAMES, device_name


def sighting_fault(seen: DeviceSeen) -> str:
    """Why the registry can't keep this sighting: "" when it can, else a snake_case word. Gateways are not trusted."""
    if seen.kind not in KINDS:
        return "kind_unknown"
    if not 0 < len(seen.device) <= 128:
        return "device_id_invalid"
    return "" if 0 < len(seen.profile) <= 120 and 0 <= seen.profile_version < 2**31 else "profile_invalid"


async def device_seen(gateway_id: str, seen: DeviceSeen, now_ms: int, adopt: bool) -> Device | None:
    """Note a sighting: make the device, or follow a change of its profile. Idempotent, in any order.

    seen   has no ``sighting_fault``
    adopt  a new device is part of the community at once; else it waits as ``pending``
    Returns the device, or None when the gateway is not known: the sighting then waits for ``put_gateway``.
    """
    async with writing():
        gateway = await Gateway.get_or_none(id=gateway_id)
        if gateway is None:
            await _keep_waiting(gateway_id, seen)
            return None
        return await _place(gateway, seen, now_ms, adopt)


async def place_waiting(gateway: Gateway, now_ms: int, adopt: bool) -> None:
    """Place what this gateway has seen before the registry knew it. Call it within a transaction."""
    for row in await Sighting.filter(gateway_id=gateway.id).order_by("id"):
        seen = DeviceSeen(
            device=row.external_id,
            profile=row.profile,
            profile_version=row.profile_version,
            kind=row.kind,
            verbs=row.verbs,
            name=row.name,
            at_ms=row.seen_ms,
        )
        await _place(gateway, seen, now_ms, adopt)
        await row.delete()


async def adopt_device(device_id: str, now_ms: int) -> Device:
    """Make a pending device part of its community; one that is already stays as it is. Raises NotFound."""
    async with writing():
        row = await Device.get_or_none(id=device_id)
        if row is None:
            raise NotFound("device", device_id)
        if row.status != "adopted":
            row.status, row.adopted_ms = "adopted", now_ms
            await row.save(update_fields=["status", "adopted_ms"])
            await write_desired(row.gateway_id, now_ms)
        return row


async def _place(gateway: Gateway, seen: DeviceSeen, now_ms: int, adopt: bool) -> Device:
    await Profile.get_or_create(
        profile=seen.profile,
        version=seen.profile_version,
        defaults={"kind": seen.kind, "first_seen_ms": seen.at_ms},
    )
    row = await Device.get_or_none(gateway_id=gateway.id, external_id=seen.device)
    if row is None:
        row = await _new_device(gateway, seen, now_ms, adopt)
    elif seen.at_ms <= row.seen_ms:
        return row  # a repetition, or older than what is known
    else:
        row.profile, row.profile_version, row.verbs = seen.profile, seen.profile_version, list(seen.verbs)
        row.seen_ms = seen.at_ms
        if seen.kind != row.kind:
            row.kind = seen.kind
            row.facility_id = (await _facility_of_kind(gateway.community_id, seen.kind, now_ms)).id
        if row.named_by == "source":
            row.name_zh, row.name_en = device_name(seen.kind, seen.device, seen.name)
        await row.save()
    if row.status == "adopted":
        await write_desired(gateway.id, now_ms)
    return row


async def _new_device(gateway: Gateway, seen: DeviceSeen, now_ms: int, adopt: bool) -> Device:
    facility = await _facility_of_kind(gateway.community_id, seen.kind, now_ms)
    name = device_name(seen.kind, seen.device, seen.name)
    return await Device.create(
        id=id_of(gateway.id, seen.device),
        community_id=gateway.community_id,
        facility_id=facility.id,
        gateway_id=gateway.id,
        external_id=seen.device,
        kind=seen.kind,
        name_zh=name.zh,
        name_en=name.en,
        profile=seen.profile,
        profile_version=seen.profile_version,
        verbs=list(seen.verbs),
        status="adopted" if adopt else "pending",
        first_seen_ms=seen.at_ms,
        seen_ms=seen.at_ms,
        adopted_ms=now_ms if adopt else None,
    )


async def _facility_of_kind(community_id: str, kind: str, now_ms: int) -> Facility:
    """The community's facility for this kind: the first by id, made when there is none."""
    row = await Facility.filter(community_id=community_id, kind=kind).order_by("id").first()
    if row is not None:
        return row
    name = FACILITY_NAMES[kind]
    return await Facility.create(
        id=facility_id(community_id, kind),
        community_id=community_id,
        kind=kind,
        name_zh=name.zh,
        name_en=name.en,
        created_ms=now_ms,
    )


async def _keep_waiting(gateway_id: str, seen: DeviceSeen) -> None:
    row = await Sighting.get_or_none(gateway_id=gateway_id, external_id=seen.device)
    if row is not None and row.seen_ms >= seen.at_ms:
        return
    row = row or Sighting(gateway_id=gateway_id, external_id=seen.device)
    row.profile, row.profile_version, row.kind = seen.profile, seen.profile_version, seen.kind
    row.verbs, row.name, row.seen_ms = list(seen.verbs), seen.name[:200], seen.at_ms
    await row.save()
