"""Routes of a site's charging: its fuse, its charge points, who may charge. What is secret goes in and never out."""

import asyncio
import secrets
from collections.abc import Iterable

from fastapi import APIRouter

import device_registry as registry
from cloud_api.charging.schema import ChargePoint, SiteCharging, SiteChargingBody, Token
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs
from cloud_api.people.roles import Permission
from cloud_api.problems import Problem, responses
from contracts.messages import DesiredChargePoint, DesiredCharging, DesiredToken
from contracts.scrypt import SALT_BYTES, hashed

router = APIRouter(tags=["charging"])


@router.get(
    "/gateways/{gateway_id}/charging",
    summary="How a site charges",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.SET_UP),
)
async def get_site_charging(gateway_id: str) -> SiteCharging:
    """Passwords are never shown, and of a card's number only the end."""
    return _in_json(gateway_id, await registry.site_charging(gateway_id))


@router.put(
    "/gateways/{gateway_id}/charging",
    summary="Set how a site charges",
    responses=responses("not_found", "body_invalid"),
    openapi_extra=needs(Permission.SET_UP),
)
async def put_site_charging(gateway_id: str, body: SiteChargingBody, parts: PartsDep) -> SiteCharging:
    """The whole of it, as it shall be; it reaches the gateway with its desired state. May be repeated."""
    before = await registry.site_charging(gateway_id) or DesiredCharging(fuse_a=0)
    hashes = {point.charge_point: point.password_hash for point in before.charge_points}
    tags = {token.name: token.id_tag for token in before.tokens}
    for token in body.tokens:
        if token.id_tag is None and token.name not in tags:
            raise Problem("body_invalid", f"the token {token.name!r} is new: it needs an id_tag")
    for point in body.charge_points:
        if point.password is None and point.charge_point not in hashes:
            raise Problem(
                "body_invalid", f'the charge point {point.charge_point!r} is new: it needs a password, or "" for none'
            )
    charging = DesiredCharging(
        fuse_a=body.fuse_a,
        fail_safe_a=body.fail_safe_a,
        free_for_all=body.free_for_all,
        charge_points=[
            DesiredChargePoint(
                charge_point=point.charge_point,
                password_hash=await _hash(point.password, hashes.get(point.charge_point, "")),
                current_max_a=point.current_max_a,
                phases=point.phases,
            )
            for point in body.charge_points
        ],
        tokens=[
            DesiredToken(
                name=token.name,
                id_tag=tags[token.name] if token.id_tag is None else token.id_tag,
                expires_ms=token.expires_ms,
                blocked=token.blocked,
            )
            for token in body.tokens
        ],
    )
    _refuse_twice("charge_point", (point.charge_point for point in charging.charge_points))
    _refuse_twice("token", (token.name for token in charging.tokens))
    _refuse_twice("id_tag", (token.id_tag.casefold() for token in charging.tokens))
    await registry.put_site_charging(gateway_id, charging, parts.clock())
    return _in_json(gateway_id, charging)


async def _hash(password: str | None, before: str) -> str:
    if password is None:
        return before
    return await asyncio.to_thread(hashed, password.encode(), secrets.token_bytes(SALT_BYTES)) if password else ""


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            shown = "of one card" if what == "id_tag" else repr(name)
            raise Problem("body_invalid", f"{what} {shown} stands in the list twice")
        seen.add(name)


def _in_json(gateway_id: str, charging: DesiredCharging | None) -> SiteCharging:
    site = charging or DesiredCharging(fuse_a=0)
    return SiteCharging(
        gateway_id=gateway_id,
        set_up=charging is not None,
        fuse_a=site.fuse_a,
        fail_safe_a=site.fail_safe_a,
        free_for_all=site.free_for_all,
        charge_points=[
            ChargePoint(
                charge_point=point.charge_point,
                password_set=bool(point.password_hash),
                current_max_a=point.current_max_a,
                phases=point.phases,
            )
            for point in site.charge_points
        ],
        tokens=[
            Token(
                name=token.name,
                id_tag_masked="••••" + token.id_tag[-4:] * (len(token.id_tag) > 8),
                expires_ms=token.expires_ms,
                blocked=token.blocked,
            )
            for token in site.tokens
        ],
    )
