"""Communities, facilities and gateways: what people set up, with ids they choose.

Each ``put_*`` makes the row or renames it, and may be repeated. Lists are in the order of their ids; ``after`` is the
last id of the page before.
"""

from tortoise.expressions import Q

from device_registry.adoption import place_waiting
from device_registry.database import writing
from device_registry.errors import Conflict, NotFound
from device_registry.models import Community, Facility, Gateway
from device_registry.names import Name
from device_registry.scope import is_hidden, visible


async def put_community(community_id: str, name: Name, now_ms: int) -> Community:
    """Make or rename a community. Raises NotFound for one that is not seen here."""
    async with writing():
        await _not_hidden(Community, "community", community_id)
        row = await Community.get_or_none(id=community_id)
        if row is None:
            return await Community.create(id=community_id, name_zh=name.zh, name_en=name.en, created_ms=now_ms)
        row.name_zh, row.name_en = name
        await row.save(update_fields=["name_zh", "name_en"])
        return row


async def put_facility(facility_id: str, community_id: str, kind: str, name: Name, now_ms: int) -> Facility:
    """Make or rename a facility. Raises NotFound (community), Conflict when community or kind would change."""
    async with writing():
        await community(community_id)
        await _not_hidden(Facility, "facility", facility_id)
        row = await Facility.get_or_none(id=facility_id)
        if row is None:
            return await Facility.create(
                id=facility_id,
                community_id=community_id,
                kind=kind,
                name_zh=name.zh,
                name_en=name.en,
                created_ms=now_ms,
            )
        if (row.community_id, row.kind) != (community_id, kind):
            raise Conflict(f"facility {facility_id!r} is {row.kind} of {row.community_id!r}; neither can be changed")
        row.name_zh, row.name_en = name
        await row.save(update_fields=["name_zh", "name_en"])
        return row


async def put_gateway(gateway_id: str, community_id: str, name: Name, now_ms: int, adopt: bool) -> Gateway:
    """Make or rename a gateway, and place the devices it has already seen (``adopt``: as part of the community).

    Raises NotFound (community), Conflict when the community would change.
    """
    async with writing():
        await community(community_id)
        await _not_hidden(Gateway, "gateway", gateway_id)
        row = await Gateway.get_or_none(id=gateway_id)
        if row is None:
            row = await Gateway.create(
                id=gateway_id, community_id=community_id, name_zh=name.zh, name_en=name.en, created_ms=now_ms
            )
        elif row.community_id != community_id:
            raise Conflict(f"gateway {gateway_id!r} belongs to {row.community_id!r}; that can't be changed")
        else:
            row.name_zh, row.name_en = name
            await row.save(update_fields=["name_zh", "name_en"])
        await place_waiting(row, now_ms, adopt)
        return row


async def _not_hidden(model: type[Community | Facility | Gateway], what: str, key: str) -> None:
    if await is_hidden(model, key):
        raise NotFound(what, key)


async def community(community_id: str) -> Community:
    """One community. Raises NotFound."""
    row = await visible(Community).get_or_none(id=community_id)
    if row is None:
        raise NotFound("community", community_id)
    return row


async def facility(facility_id: str) -> Facility:
    """One facility. Raises NotFound."""
    row = await visible(Facility).get_or_none(id=facility_id)
    if row is None:
        raise NotFound("facility", facility_id)
    return row


async def gateway(gateway_id: str) -> Gateway:
    """One gateway. Raises NotFound."""
    row = await visible(Gateway).get_or_none(id=gateway_id)
    if row is None:
        raise NotFound("gateway", gateway_id)
    return row


def named(q: str) -> Q:
    """Rows whose id or name, in either language, contains ``q``."""
    return Q(id__icontains=q) | Q(name_zh__icontains=q) | Q(name_en__icontains=q)


async def communities(after: str, limit: int, q: str = "") -> list[Community]:
    """A page of communities."""
    rows = visible(Community).filter(id__gt=after).order_by("id").limit(limit)
    return await (rows.filter(named(q)) if q else rows)


async def facilities(after: str, limit: int, community: str = "", kind: str = "", q: str = "") -> list[Facility]:
    """A page of facilities."""
    wanted = {"community_id": community, "kind": kind}
    rows = visible(Facility).filter(id__gt=after, **{key: value for key, value in wanted.items() if value})
    rows = rows.order_by("id").limit(limit)
    return await (rows.filter(named(q)) if q else rows)


async def community_of_gateway(gateway_id: str) -> str:
    """Its community; "" for a gateway that is not known."""
    row = await Gateway.get_or_none(id=gateway_id)
    return row.community_id if row is not None else ""


async def gateways(after: str, limit: int, community: str = "", q: str = "") -> list[Gateway]:
    """A page of gateways."""
    rows = visible(Gateway).filter(id__gt=after, **({"community_id": community} if community else {}))
    rows = rows.order_by("id").limit(limit)
    return await (rows.filter(named(q)) if q else rows)
