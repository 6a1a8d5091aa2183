"""Routes of a site's charging: its fuse, its charge points, who may charge. What is secret goes in and never out."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping

from fastapi import APIRouter, Depends

import device_registry as registry
from cloud_api.audit.recording import reads_personal_data
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
    dependencies=[Depends(reads_personal_data)],
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
    _refuse_twice("charge_point", (point.charge_point for point in body.charge_points))
    _refuse_twice("token", (token.name for token in body.tokens))
    await registry.gateway(gateway_id)
    # Hashing takes its time: it is done before anybody else is kept from writing.
    hashes = {point.charge_point: await _hash(point.password) for point in body.charge_points if point.password}
    charging = await registry.put_site_charging(
        gateway_id,
        lambda before: _merged(body, hashes, before or DesiredCharging(fuse_a=0)),
        parts.clock(),
        lambda: f"tok-{secrets.token_hex(8)}",
    )
    return _in_json(gateway_id, charging)


def _merged(body: SiteChargingBody, hashes: Mapping[str, str], before: DesiredCharging) -> DesiredCharging:
    """What was asked for, with the secrets that stay. Raises Problem body_invalid."""
    known = {point.charge_point: point.password_hash for point in before.charge_points}
    tags = {token.name: token.id_tag for token in before.tokens}
    for token in body.tokens:
        if token.id_tag is None and token.name not in tags:
            raise Problem("body_invalid", f"the token {token.name!r} is new: it needs an id_tag")
    for point in body.charge_points:
        if point.password is None and point.charge_point not in known:
            raise Problem(
                "body_invalid", f'the charge point {point.charge_point!r} is new: it needs a password, or "" for none'
            )
    charging = DesiredCharging(
        fuse_a=body.fuse_a,
        fail_safe_a=body.fail_safe_a,
        free_for_all=body.free_for_all,
        firmware_url=body.firmware_url,
        diagnostics_url=body.diagnostics_url,
        charge_points=[
            DesiredChargePoint(
                charge_point=point.charge_point,
                password_hash=known[point.charge_point]
                if point.password is None
                else hashes.get(point.charge_point, ""),
                current_max_a=point.current_max_a,
                phases=point.phases,
                phase=point.phase,
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
    _refuse_twice("id_tag", (token.id_tag.casefold() for token in charging.tokens))
    return charging


async def _hash(password: str) -> str:
    return await asyncio.to_thread(hashed, password.encode(), secrets.token_bytes(SALT_BYTES))


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
        firmware_url=site.firmware_url,
        diagnostics_url=site.diagnostics_url,
        charge_points=[
            ChargePoint(
                charge_point=point.charge_point,
                password_set=bool(point.password_hash),
                current_max_a=point.current_max_a,
                phases=point.phases,
                phase=point.phase,
            )
            for point in site.charge_points
        ],
        tokens=[token_in_json(token) for token in site.tokens],
    )


def token_in_json(token: DesiredToken) -> Token:
    """A token in JSON; of its number the end at most."""
    return Token(
        name=token.name,
        id_tag_masked="••••" + token.id_tag[-4:] * (len(token.id_tag) > 8),
        expires_ms=token.expires_ms,
        blocked=token.blocked,
    )
