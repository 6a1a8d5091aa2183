"""Routes of what gateways hear that no profile reads."""

from base64 import b64encode

from fastapi import APIRouter

import device_registry as registry
from cloud_api.devices.routes import in_json as device_in_json
from cloud_api.devices.schema import Device
from cloud_api.discoveries import schema
from cloud_api.pages import Cursor, Limit, cut, decode_cursor
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.problems import responses
from cloud_api.profiles.checking import shipped

router = APIRouter(tags=["discovery"])


def _in_json(row: registry.Discovery) -> schema.Discovery:
    return schema.Discovery.model_validate(
        {
            "topic": row.topic,
            "status": row.status,
            "device_id": row.device_id or None,
            "count": row.count,
            "size_bytes": row.size_bytes,
            "head_base64": b64encode(row.head).decode(),
            "proposals": row.proposals,
            "first_ms": row.first_ms,
            "at_ms": row.at_ms,
        }
    )


@router.get(
    "/gateways/{gateway_id}/discoveries",
    summary="Topics that no profile reads",
    responses=responses("not_found", "cursor_invalid"),
    openapi_extra=needs(Permission.DIAGNOSE),
)
async def list_discoveries(
    gateway_id: str, cursor: Cursor = "", limit: Limit = 100, status: schema.Status = "open"
) -> schema.DiscoveryPage:
    """What speaks on the gateway's local broker that nobody understands, with the profiles that could read it.

    Told of last first. 256 topics of a gateway are kept.
    """
    place = decode_cursor(cursor, int, int)
    after = (int(place[0]), int(place[1])) if place else None
    rows = await registry.discoveries(gateway_id, status, after, limit + 1)
    page, following = cut(rows, limit, lambda row: (row.at_ms, row.id))
    return schema.DiscoveryPage(items=[_in_json(row) for row in page], next_cursor=following)


@router.post(
    "/gateways/{gateway_id}/discoveries/adopt",
    summary="Adopt what was discovered",
    responses=responses("not_found", "conflict", "body_invalid"),
    openapi_extra=needs(Permission.SET_UP),
)
async def adopt_discovery(gateway_id: str, body: schema.Adoption, parts: PartsDep) -> Device:
    """Make or adopt the device and bind the topic to it: the gateway reads it with this profile from then on.

    The profile may be one that nobody proposed, as long as the gateway has it: shipped, or pushed to it. May be repeated.
    """
    name = body.name.plain() if body.name else None
    reads = await _reads(gateway_id, body.topic, body.profile)
    row = await registry.adopt_discovery(
        gateway_id, body.topic, reads, body.device, parts.clock(), name, body.parameters
    )
    return device_in_json(row)


async def _reads(gateway_id: str, topic: str, profile: str) -> registry.Reads:
    """The version of the profile that the gateway has. Raises NotFound (gateway, topic), Conflict (it has not)."""
    for proposal in (await registry.discovery(gateway_id, topic)).proposals:
        if proposal["profile"] == profile:
            return registry.Reads(profile, proposal["profile_version"], proposal["kind"])
    pushed, _ = await registry.profile_places()
    if version := pushed.get(profile, {}).get(gateway_id):
        kinds = {row.version: row.kind for row in await registry.profile_versions(profile)}
        return registry.Reads(profile, version, kinds[version])
    if profile in shipped():
        header = shipped()[profile].profile
        return registry.Reads(profile, header.version, header.kind)
    raise registry.Conflict(f"gateway {gateway_id!r} has no profile {profile!r}: push it there first")


@router.post(
    "/gateways/{gateway_id}/discoveries/dismiss",
    summary="Dismiss what was discovered",
    responses=responses("not_found", "conflict", "body_invalid"),
    openapi_extra=needs(Permission.SET_UP),
)
async def dismiss_discovery(gateway_id: str, body: schema.Decided) -> schema.Discovery:
    """Show this topic no longer, however often it speaks. May be repeated."""
    return _in_json(await registry.dismiss(gateway_id, body.topic))


@router.post(
    "/gateways/{gateway_id}/discoveries/release",
    summary="Undo an adoption or a dismissal",
    responses=responses("not_found", "body_invalid"),
    openapi_extra=needs(Permission.SET_UP),
)
async def release_discovery(gateway_id: str, body: schema.Decided, parts: PartsDep) -> schema.Discovery:
    """The topic is open again. Its device stays, with its history; it is no longer read on this topic. May be repeated."""
    return _in_json(await registry.release(gateway_id, body.topic, parts.clock()))
