"""From what a gateway has seen to a device in the registry."""

import logging
from collections.abc import Sequence

from contracts.messages import DeviceSeen
from contracts.vocabulary import KINDS
from device_registry.database import writing
from device_registry.desired import write_desired
from device_registry.errors import Conflict, DesiredTooLarge, NotFound
from device_registry.ids import device_id as id_of
from device_registry.ids import facility_id
from device_registry.models import Device, Facility, FormerSource, Gateway, Profile, Sighting
from device_registry.names import FACILITY_NAMES, device_name
from device_registry.scope import visible

log = logging.getLogger(__name__)

PLACED_MAX = 1_000
"""Sightings that are placed at once: a query names each of them, and databases bound that."""
DEVICES_MAX = 20_000
"""Of one gateway, and sightings of one that nobody has registered. Its own agent has a limit of half as many."""


def sighting_fault(seen: DeviceSeen) -> str:
    """Why the registry can't keep this sighting: "" when it can, else a snake_case word. Gateways are not trusted."""
    if seen.kind not in KINDS:
        return "kind_unknown"
    if not 0 < len(seen.device) <= 128:
        return "device_id_invalid"
    return "" if 0 < len(seen.profile) <= 120 and 0 <= seen.profile_version < 2**31 else "profile_invalid"


async def device_seen(gateway_id: str, seen: DeviceSeen, now_ms: int, adopt: bool) -> Device | None:
    """One sighting, see ``devices_seen``. Returns the device, or None when the gateway is not known."""
    rows = await devices_seen(gateway_id, [seen], now_ms, adopt)
    return rows[0] if rows else None


async def devices_seen(gateway_id: str, sightings: Sequence[DeviceSeen], now_ms: int, adopt: bool) -> list[Device]:
    """Note sightings: make the devices, or follow a change of their profile. Idempotent, in any order.

    All in one transaction, and the desired state, which names every device, is written once.

    sightings  have no ``sighting_fault``
    adopt      a new device is part of the community at once; else it waits as ``pending``. One that speaks where another was
               moved away waits always: it may be the old one still
    Raises Conflict when the gateway has too many devices.
    Returns the devices, or none when the gateway is not known: the sightings then wait for ``put_gateway``. A late sighting
    of a device that has been moved since says nothing new: it returns none.
    """
    async with writing():
        gateway = await Gateway.get_or_none(id=gateway_id)
        if gateway is not None:
            return await place_all(gateway, sightings, now_ms, adopt)
        for seen in sightings:
            await _keep_waiting(gateway_id, seen)
        return []


async def place_waiting(gateway: Gateway, now_ms: int, adopt: bool) -> None:
    """Place what this gateway has seen before the registry knew it. Call it within a transaction."""
    waiting = Sighting.filter(gateway_id=gateway.id)
    sightings = [
        DeviceSeen(
            device=row.external_id,
            profile=row.profile,
            profile_version=row.profile_version,
            kind=row.kind,
            verbs=row.verbs,
            name=row.name,
            at_ms=row.seen_ms,
        )
        for row in await waiting.order_by("id")
    ]
    for start in range(0, len(sightings), PLACED_MAX):
        await place_all(gateway, sightings[start : start + PLACED_MAX], now_ms, adopt)
    await waiting.delete()


async def adopt_device(device_id: str, now_ms: int) -> Device:
    """Make a pending device part of its community; one that is already stays as it is. Raises NotFound."""
    async with writing():
        row = await visible(Device).get_or_none(id=device_id)
        if row is None:
            raise NotFound("device", device_id)
        if row.status != "adopted":
            row.status, row.adopted_ms = "adopted", now_ms
            await row.save(update_fields=["status", "adopted_ms"])
            await write_desired(row.gateway_id, now_ms)
        return row


async def place_all(gateway: Gateway, sightings: Sequence[DeviceSeen], now_ms: int, adopt: bool) -> list[Device]:
    """Asks and writes per batch, not per device: a gateway's first day names all it has at once. Within a transaction."""
    sources = {seen.device for seen in sightings}
    known = {row.external_id: row for row in await Device.filter(gateway_id=gateway.id, external_id__in=sources)}
    former: dict[str, list[int]] = {}  # external id -> when a device was moved away from there
    moved_away = FormerSource.filter(gateway_id=gateway.id, external_id__in=sources).order_by("to_ms")
    for external_id, to_ms in await moved_away.values_list("external_id", "to_ms"):
        former.setdefault(external_id, []).append(to_ms)
    since = {name: times[-1] for name, times in former.items()} | {name: row.since_ms for name, row in known.items()}
    sightings = [seen for seen in sightings if seen.at_ms >= since.get(seen.device, 0)]
    facilities = {
        kind: await _facility_of_kind(gateway.community_id, kind, now_ms)
        for kind in sorted({seen.kind for seen in sightings})
    }
    for profile, version in sorted({(seen.profile, seen.profile_version) for seen in sightings}):
        first = next(seen for seen in sightings if (seen.profile, seen.profile_version) == (profile, version))
        defaults = {"kind": first.kind, "first_seen_ms": first.at_ms}
        await Profile.get_or_create(profile=profile, version=version, defaults=defaults)
    born: dict[str, Device] = {}
    changed: dict[str, Device] = {}
    for seen in sightings:
        row = known.get(seen.device)
        if row is None:
            row = known[seen.device] = born[seen.device] = _new_device(
                gateway, facilities[seen.kind], seen, former.get(seen.device, []), now_ms, adopt
            )
        elif seen.at_ms > row.seen_ms:  # else a repetition, or older than what is known
            _follow(row, facilities[seen.kind], seen)
            if seen.device not in born:
                changed[seen.device] = row
    if born and await Device.filter(gateway_id=gateway.id).count() + len(born) > DEVICES_MAX:
        raise Conflict(f"gateway {gateway.id!r} would have more than {DEVICES_MAX} devices")
    await Device.bulk_create(born.values())
    for row in changed.values():
        await row.save()
    if any(row.status == "adopted" for row in (*born.values(), *changed.values())):
        await _write_or_leave_pending(gateway.id, list(born.values()), now_ms)
    return [known[seen.device] for seen in sightings]


async def _write_or_leave_pending(gateway_id: str, born: list[Device], now_ms: int) -> None:
    """A gateway that names more devices than its desired state can: the new ones wait, and a person sees them."""
    try:
        await write_desired(gateway_id, now_ms)
    except DesiredTooLarge as error:
        log.error("devices are not adopted", extra={"gateway": gateway_id, "devices": len(born), "error": str(error)})
        for row in born:
            row.status, row.adopted_ms = "pending", None
        await Device.filter(id__in=[row.id for row in born]).update(status="pending", adopted_ms=None)


def _follow(row: Device, facility: Facility, seen: DeviceSeen) -> None:
    if row.topics and seen.profile != row.profile:
        return  # a person has chosen the profile, with a topic that it reads
    row.profile, row.profile_version, row.verbs = seen.profile, seen.profile_version, list(seen.verbs)
    row.seen_ms = seen.at_ms
    if seen.kind != row.kind:
        row.kind, row.facility_id = seen.kind, facility.id
    if row.named_by == "source":
        row.name_zh, row.name_en = device_name(seen.kind, seen.device, seen.name)


def _new_device(
    gateway: Gateway, facility: Facility, seen: DeviceSeen, former: Sequence[int], now_ms: int, adopt: bool
) -> Device:
    """former: when devices were moved away from this source, ascending."""
    name = device_name(seen.kind, seen.device, seen.name)
    adopt = adopt and not former
    return Device(
        id=id_of(gateway.id, seen.device, len(former)),
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
        since_ms=former[-1] if former else 0,
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
    if row is None and await Sighting.filter(gateway_id=gateway_id).count() >= DEVICES_MAX:
        raise Conflict(
            f"gateway {gateway_id!r}, which nobody has registered, has told of {DEVICES_MAX} devices already"
        )
    row = row or Sighting(gateway_id=gateway_id, external_id=seen.device)
    row.profile, row.profile_version, row.kind = seen.profile, seen.profile_version, seen.kind
    row.verbs, row.name, row.seen_ms = list(seen.verbs), seen.name[:200], seen.at_ms
    await row.save()
