"""Routes of communities, facilities and gateways."""

from typing import Annotated

from fastapi import APIRouter, Path

import device_registry as registry
from cloud_api.communities import schema
from cloud_api.ingest import GatewayPresence
from cloud_api.names import BilingualName, Id, KindOfFacility
from cloud_api.pages import Cursor, Limit, cut, id_after
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs, needs_everywhere
from cloud_api.people.roles import Permission
from cloud_api.problems import responses
from contracts.messages import GatewayState

router = APIRouter(tags=["registry"])

GivenId = Annotated[Id, Path(description="Chosen by you: lower-case letters, digits and hyphens")]


def _community(row: registry.Community) -> schema.Community:
    return schema.Community(id=row.id, name=BilingualName.of(row))


def _facility(row: registry.Facility) -> schema.Facility:
    return schema.Facility.model_validate(
        {"id": row.id, "community_id": row.community_id, "kind": row.kind, "name": BilingualName.of(row)}
    )


def _last_word(state: GatewayState) -> schema.GatewayWord:
    return schema.GatewayWord(
        outbox_bytes=state.outbox_bytes,
        outbox_bytes_max=state.outbox_bytes_max,
        outbox_hours_until_full=state.outbox_hours_until_full,
        buffered_samples=sum(lane.buffered for lane in state.lanes),
        clock_trusted=state.clock_trusted,
        clock_error_ms=state.clock_error_ms if state.clock_error_ms >= 0 else None,
    )


async def _gateways(rows: list[registry.Gateway], presence: GatewayPresence) -> list[schema.Gateway]:
    versions = await registry.desired_versions([row.id for row in rows])
    items = []
    for row in rows:
        state = presence.state(row.id)
        items.append(
            schema.Gateway(
                id=row.id,
                community_id=row.community_id,
                name=BilingualName.of(row),
                online=presence.online(row.id),
                link=presence.link(row.id),
                last_seen_ms=presence.last_seen_ms(row.id),
                agent_version=state.agent_version if state else "",
                desired_version=versions.get(row.id, 0),
                reported_version=row.reported_version,
                reported_reason=row.reported_reason,
                instance=presence.instance(row.id),
                refused_profiles=row.refused,
                twin_seen_ms=presence.twin_seen_ms(row.id),
                last_word=_last_word(state) if state and state.outbox_bytes_max else None,
            )
        )
    return items


@router.get("/communities", summary="Communities", openapi_extra=needs(Permission.SEE))
async def list_communities(cursor: Cursor = "", limit: Limit = 100, q: str = "") -> schema.CommunityPage:
    """In the order of their ids. `q` searches id and names."""
    rows, following = cut(await registry.communities(id_after(cursor), limit + 1, q), limit, lambda row: (row.id,))
    return schema.CommunityPage(items=[_community(row) for row in rows], next_cursor=following)


@router.get(
    "/communities/{community_id}",
    summary="One community",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.SEE),
)
async def get_community(community_id: str) -> schema.Community:
    """A community by its id."""
    return _community(await registry.community(community_id))


@router.put(
    "/communities/{community_id}",
    summary="Make or rename a community",
    responses=responses("body_invalid"),
    openapi_extra=needs_everywhere(Permission.COMMUNITIES),
)
async def put_community(community_id: GivenId, body: schema.CommunityBody, parts: PartsDep) -> schema.Community:
    """May be repeated: the second time changes nothing."""
    return _community(await registry.put_community(community_id, body.name.plain(), parts.clock()))


@router.get("/facilities", summary="Facilities", openapi_extra=needs(Permission.SEE))
async def list_facilities(
    cursor: Cursor = "", limit: Limit = 100, community: str = "", kind: KindOfFacility | None = None, q: str = ""
) -> schema.FacilityPage:
    """In the order of their ids."""
    found = await registry.facilities(id_after(cursor), limit + 1, community, kind or "", q)
    rows, following = cut(found, limit, lambda row: (row.id,))
    return schema.FacilityPage(items=[_facility(row) for row in rows], next_cursor=following)


@router.get(
    "/facilities/{facility_id}",
    summary="One facility",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.SEE),
)
async def get_facility(facility_id: str) -> schema.Facility:
    """A facility by its id."""
    return _facility(await registry.facility(facility_id))


@router.put(
    "/facilities/{facility_id}",
    summary="Make or rename a facility",
    responses=responses("not_found", "conflict", "body_invalid"),
    openapi_extra=needs(Permission.SET_UP),
)
async def put_facility(facility_id: GivenId, body: schema.FacilityBody, parts: PartsDep) -> schema.Facility:
    """May be repeated: the second time changes nothing."""
    name = body.name.plain()
    return _facility(await registry.put_facility(facility_id, body.community_id, body.kind, name, parts.clock()))


@router.get("/gateways", summary="Gateways", openapi_extra=needs(Permission.SEE))
async def list_gateways(
    parts: PartsDep, cursor: Cursor = "", limit: Limit = 100, community: str = "", q: str = ""
) -> schema.GatewayPage:
    """In the order of their ids, with what is known of each now."""
    found = await registry.gateways(id_after(cursor), limit + 1, community, q)
    rows, following = cut(found, limit, lambda row: (row.id,))
    return schema.GatewayPage(items=await _gateways(rows, parts.presence), next_cursor=following)


@router.get(
    "/gateways/{gateway_id}",
    summary="One gateway",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.SEE),
)
async def get_gateway(gateway_id: str, parts: PartsDep) -> schema.Gateway:
    """A gateway by its id."""
    return (await _gateways([await registry.gateway(gateway_id)], parts.presence))[0]


@router.put(
    "/gateways/{gateway_id}",
    summary="Make or rename a gateway",
    responses=responses("not_found", "conflict", "body_invalid"),
    openapi_extra=needs(Permission.INSTALL),
)
async def put_gateway(gateway_id: GivenId, body: schema.GatewayBody, parts: PartsDep) -> schema.Gateway:
    """May be repeated. Devices that the gateway has already seen are placed now."""
    row = await registry.put_gateway(
        gateway_id, body.community_id, body.name.plain(), parts.clock(), parts.adopt_at_once
    )
    return (await _gateways([row], parts.presence))[0]
