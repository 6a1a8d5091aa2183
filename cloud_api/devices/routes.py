"""Routes of devices: the registry's word on them, and what people may change."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

import device_registry as registry
from cloud_api.devices import schema
from cloud_api.names import BilingualName, KindOfFacility
from cloud_api.pages import Cursor, Limit, cut, id_after
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.problems import responses

router = APIRouter(tags=["devices"])


def in_json(row: registry.Device) -> schema.Device:
    """A device in JSON."""
    return schema.Device.model_validate(
        {
            "id": row.id,
            "community_id": row.community_id,
            "facility_id": row.facility_id,
            "gateway_id": row.gateway_id,
            "external_id": row.external_id,
            "kind": row.kind,
            "name": BilingualName.of(row),
            "profile": row.profile,
            "profile_version": row.profile_version,
            "status": row.status,
            "verbs": row.verbs,
            "parameters": row.parameters,
            "place_id": row.place_id or None,
            "adopted_ms": row.adopted_ms,
            "first_seen_ms": row.first_seen_ms,
        }
    )


@router.get("/devices", summary="Devices", openapi_extra=needs(Permission.SEE))
async def list_devices(
    cursor: Cursor = "",
    limit: Limit = 100,
    community: str = "",
    facility: str = "",
    kind: KindOfFacility | None = None,
    gateway: str = "",
    external_id: str = "",
    status: Literal["adopted", "pending"] | None = None,
    q: Annotated[str, Query(description="Searches names, id and external id")] = "",
) -> schema.DevicePage:
    """In the order of their ids; filters narrow it down together."""
    where = registry.DeviceFilter(
        community=community,
        facility=facility,
        kind=kind or "",
        gateway=gateway,
        external_id=external_id,
        status=status or "",
        q=q,
    )
    found = await registry.devices(where, id_after(cursor), limit + 1)
    rows, following = cut(found, limit, lambda row: (row.id,))
    return schema.DevicePage(items=[in_json(row) for row in rows], next_cursor=following)


@router.get(
    "/devices/{device_id}", summary="One device", responses=responses("not_found"), openapi_extra=needs(Permission.SEE)
)
async def get_device(device_id: str) -> schema.Device:
    """A device by its id."""
    return in_json(await registry.device(device_id))


@router.patch(
    "/devices/{device_id}",
    summary="Change a device",
    responses=responses("not_found", "conflict", "body_invalid"),
    openapi_extra=needs(Permission.SET_UP),
)
async def change_device(device_id: str, body: schema.DeviceChange, parts: PartsDep) -> schema.Device:
    """Its name, its facility (of the same community and kind), its parameters such as a bin's height, a charger's place."""
    name = body.name.plain() if body.name else None
    row = await registry.change_device(device_id, parts.clock(), name, body.facility_id, body.parameters, body.place_id)
    return in_json(row)


@router.post(
    "/devices/{device_id}/adopt",
    summary="Adopt a device",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.SET_UP),
)
async def adopt_device(device_id: str, parts: PartsDep) -> schema.Device:
    """Make a pending device part of its community. May be repeated."""
    return in_json(await registry.adopt_device(device_id, parts.clock()))


@router.post(
    "/devices/{device_id}/move",
    summary="Move a device to another gateway",
    responses=responses("not_found", "conflict", "body_invalid"),
    openapi_extra=needs(Permission.SET_UP),
)
async def move_device(device_id: str, body: schema.Move, parts: PartsDep) -> schema.Device:
    """It keeps its id, its name and its history. The gateway must be of the same community. May be repeated.

    A device that waits to be adopted at the new place is taken for this one and goes. A charge point's access is moved in
    its site's charging settings.
    """
    row = await registry.move_device(
        device_id, body.gateway_id, parts.clock(), body.external_id or "", body.at_ms, body.replace
    )
    return in_json(row)


@router.get(
    "/devices/{device_id}/sources",
    summary="Where a device was",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.SEE),
)
async def get_sources(device_id: str) -> schema.DeviceSources:
    """The gateways that read it, and until when."""
    spans = await registry.sources_of(await registry.device(device_id))
    items = [
        schema.DeviceSource(
            gateway_id=span.gateway_id,
            external_id=span.external_id,
            from_ms=span.from_ms,
            to_ms=None if span is spans[-1] else span.to_ms,
        )
        for span in spans
    ]
    return schema.DeviceSources(items=items)
